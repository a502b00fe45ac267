/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS answers, handed to user space whole, which parses them. Over TCP only
 * those that one packet holds whole; others count as lost.
 */
#ifndef NETCINCH_DNS_H
#define NETCINCH_DNS_H

#include "flow.h"
#include "maps.h"
#include "packet.h"

/*
 * Says whether a packet to the local end is an answer to what it asked: only
 * from a flow on which it sent something, so that a stranger's packet from
 * port 53 names nothing.
 */
static __always_inline int is_dns_answer(const struct packet *p, const struct flow *flow)
{
	return (p->protocol == IP_UDP || p->protocol == IP_TCP) &&
	       p->source_port == bpf_htons(DNS_PORT) && p->fragment == WHOLE &&
	       (flow->state & SENT);
}

__noinline int send_dns_answer(struct __sk_buff *skb, __u32 offset, __u32 from)
{
	__u32 zero = 0;
	struct dns_event *event = bpf_map_lookup_elem(&scratch, &zero);
	__u32 length = skb->len - offset;

	if (!event || skb->len <= offset)
		return 0;
	if (length > DNS_MAX)
		length = DNS_MAX;
	event->kind = EVENT_DNS;
	event->slot = from;
	event->length = length;
	event->jiffies = bpf_jiffies64();
	/*
	 * It is bounded above; the verifier has to see it after spills, too, and
	 * before 6.2 sees a lower bound only where one is added.
	 */
	__u32 further = length - 1;
	asm volatile("" : "+r"(further));
	if (further >= DNS_MAX)
		return 0;
	if (bpf_skb_load_bytes(skb, offset, event->payload, further + 1))
		return 0;
	if (bpf_ringbuf_output(&events, event, sizeof(*event) - DNS_MAX + 1 + further, 0)) {
		struct losses *losses = lost();
		if (losses)
			losses->dns_lost++;
	}
	return 0;
}

/*
 * Over TCP a message follows its length. Packets without payload are no
 * answers.
 */
static __always_inline void send_dns(struct __sk_buff *skb, const struct packet *p)
{
	__u32 end = p->network + p->bytes;
	__u32 offset = p->payload;
	__be16 length;

	if (p->protocol == IP_UDP) {
		send_dns_answer(skb, offset, p->slot);
		return;
	}
	if (p->bytes && offset >= end)
		return;
	if (offset <= HEADERS_MAX && !bpf_skb_load_bytes(skb, offset, &length, sizeof(length)) &&
	    offset + sizeof(length) + bpf_ntohs(length) == end) {
		send_dns_answer(skb, offset + sizeof(length), p->slot);
		return;
	}
	struct losses *losses = lost();
	if (losses)
		losses->dns_lost++;
}

#endif
