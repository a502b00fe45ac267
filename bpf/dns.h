/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS answers, handed to user space, which parses them. Over TCP segment by
 * segment: user space puts them together.
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
	long refused =
		bpf_ringbuf_output(&events, event, sizeof(*event) - DNS_MAX + 1 + further, 0);
	struct losses *losses = lost();
	if (losses && refused)
		losses->dns_lost++;
	else if (losses)
		losses->told_dns++;
	return 0;
}

__noinline int send_dns_segment(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 from,
				const struct dns_segment *segment)
{
	__u32 zero = 0;
	struct dns_event *event = bpf_map_lookup_elem(&scratch, &zero);

	if (!event || !segment || offset > HEADERS_MAX + SEGMENTS_MAX * SEGMENT_MAX)
		return 0;
	if (length > SEGMENT_MAX)
		length = SEGMENT_MAX;
	event->kind = EVENT_DNS_SEGMENT;
	event->slot = from;
	event->length = length + sizeof(*segment);
	event->jiffies = bpf_jiffies64();
	*(struct dns_segment *)event->payload = *segment;
	/* As in send_dns_answer. */
	__u32 further = length - 1;
	asm volatile("" : "+r"(further));
	if (further >= SEGMENT_MAX)
		return 0;
	if (bpf_skb_load_bytes(skb, offset, event->payload + sizeof(*segment), further + 1))
		return 0;
	long refused =
		bpf_ringbuf_output(&events, event, sizeof(*event) - SEGMENT_MAX + 1 + further, 0);
	struct losses *losses = lost();
	if (losses && refused)
		losses->dns_lost++;
	else if (losses)
		losses->told_dns++;
	return 0;
}

/* Packets without payload are no answers. */
static __always_inline void send_dns_segments(struct __sk_buff *skb, const struct packet *p,
					      struct dns_segment *segment)
{
	__u32 end = p->bytes ? p->network + p->bytes : skb->len;
	__u32 offset = p->payload;
	__be32 sequence;

	if (offset >= end || p->transport > HEADERS_MAX ||
	    bpf_skb_load_bytes(skb, p->transport + 4, &sequence, sizeof(sequence)))
		return;
	segment->sequence = bpf_ntohl(sequence);
	for (int i = 0; i < SEGMENTS_MAX; i++) {
		__u32 length = end - offset < SEGMENT_MAX ? end - offset : SEGMENT_MAX;
		send_dns_segment(skb, offset, length, p->slot, segment);
		offset += length;
		segment->sequence += length;
		if (offset >= end)
			return;
	}
	struct losses *losses = lost();
	if (losses)
		losses->dns_lost++;
}

static __always_inline void send_dns4(struct __sk_buff *skb, const struct packet *p,
				      const struct key4 *key)
{
	struct dns_segment segment = { .local_port = key->local_port };

	segment.remote[0] = key->remote;
	if (p->protocol == IP_UDP)
		send_dns_answer(skb, p->payload, p->slot);
	else
		send_dns_segments(skb, p, &segment);
}

static __always_inline void send_dns6(struct __sk_buff *skb, const struct packet *p,
				      const struct key6 *key)
{
	struct dns_segment segment = { .local_port = key->local_port };

	COPY6(segment.remote, key->remote);
	if (p->protocol == IP_UDP)
		send_dns_answer(skb, p->payload, p->slot);
	else
		send_dns_segments(skb, p, &segment);
}

#endif
