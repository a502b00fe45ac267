/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading headers: Ethernet with VLAN tags, IPv4 with options, IPv6 with
 * extension headers, the transport header. Nothing is invented: what is cut
 * short or nested too deep is said to be so.
 */
#ifndef NETCINCH_PACKET_H
#define NETCINCH_PACKET_H

#include "kernel.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETHERNET_LENGTH 14
#define PROTO_IPV4	0x0800
#define PROTO_IPV6	0x86dd
#define PROTO_VLAN	0x8100
#define PROTO_QINQ	0x88a8

#define IP_ICMP	   1
#define IP_TCP	   6
#define IP_UDP	   17
#define IP_ROUTING 43
#define IP_FRAG	   44
#define IP_AH	   51
#define IP_ICMPV6  58
#define IP_DSTOPTS 60
#define IP_SCTP	   132
#define IP_MOBILE  135
#define IP_UDPLITE 136
#define IP_HIP	   139
#define IP_SHIM6   140

#define DNS_PORT 53

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define EXTENSIONS_MAX 8 /* RFC 8200 lets a node send each kind once, destination options twice */
#define HEADERS_MAX    2048 /* farthest offset that headers are followed to */

#define SAME6(a, b) ((a)[0] == (b)[0] && (a)[1] == (b)[1] && (a)[2] == (b)[2] && (a)[3] == (b)[3])
#define COPY6(to, from)              \
	do {                         \
		(to)[0] = (from)[0]; \
		(to)[1] = (from)[1]; \
		(to)[2] = (from)[2]; \
		(to)[3] = (from)[3]; \
	} while (0)

struct ipv4_header {
	__u8 version_length;
	__u8 tos;
	__be16 length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__sum16 check;
	__be32 source;
	__be32 target;
};

struct ipv6_header {
	__be32 version_class_label;
	__be16 length;
	__u8 next;
	__u8 hops;
	__be32 source[4];
	__be32 target[4];
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset_more;
	__be32 id;
};

enum fragment {
	WHOLE = 0,
	FIRST_FRAGMENT,
	LATER_FRAGMENT,
};

/* One packet as its headers tell it. Ports are as in the packet. */
struct packet {
	__u32 slot;	 /* the attachment that sees it */
	__u32 network;	 /* offset of the IP header */
	__u32 transport; /* offset of what follows it and its extensions */
	__u32 payload;	 /* offset of what follows the transport header */
	__u32 bytes;	 /* IP packet, headers and all */
	__u32 fragment_id;
	__be16 source_port;
	__be16 target_port;
	__u8 protocol;
	__u8 fragment;
	__u8 flags; /* TCP; SCTP's INIT, ABORT and SHUTDOWN as their TCP likes */
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 padding[3];
};

/*
 * Gives the header at an offset: straight from the packet where it is in the
 * linear part, else copied to the buffer; NULL where the packet ends before it.
 */
static __always_inline const void *header(struct __sk_buff *skb, __u32 offset, void *buffer,
					  __u32 size)
{
	const void *data = (const void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;

	if (offset > HEADERS_MAX)
		return 0;
	if (data + offset + size <= end)
		return data + offset;
	if (bpf_skb_load_bytes(skb, offset, buffer, size))
		return 0;
	return buffer;
}

/* Gives the EtherType, in host order, and the offset of what follows it. */
static __always_inline __u16 ethernet(struct __sk_buff *skb, __u32 *offset)
{
	__be16 buffer[2];
	const __be16 *type = header(skb, 12, buffer, 2);
	__u32 at = ETHERNET_LENGTH;

	if (!type)
		return 0;
	__u16 proto = bpf_ntohs(*type);
	for (int tags = 0; tags < 2; tags++) {
		if (proto != PROTO_VLAN && proto != PROTO_QINQ)
			break;
		const __be16 *tag = header(skb, at, buffer, 4);
		if (!tag)
			return 0;
		proto = bpf_ntohs(tag[1]);
		at += 4;
	}
	*offset = at;
	return proto;
}

static __always_inline __u8 sctp_flags(__u8 chunk)
{
	switch (chunk) {
	case 1: /* INIT */
		return TCP_SYN;
	case 2: /* INIT ACK */
		return TCP_SYN | TCP_ACK;
	case 6: /* ABORT */
		return TCP_RST;
	case 7: /* SHUTDOWN */
	case 8: /* SHUTDOWN ACK */
		return TCP_FIN | TCP_ACK;
	default:
		return TCP_ACK;
	}
}

/*
 * Reads the transport header at p->transport. In a packet that an ICMP error
 * quotes, only the first 8 bytes are sure to be there. Returns 0 or -1 where
 * it is cut short.
 */
static __always_inline int transport(struct __sk_buff *skb, struct packet *p, int quoted)
{
	__u32 buffer[4];

	p->payload = p->transport;
	if (p->fragment == LATER_FRAGMENT)
		return 0;
	switch (p->protocol) {
	case IP_TCP: {
		const __be16 *tcp = header(skb, p->transport, buffer, quoted ? 8 : 16);
		if (!tcp)
			return -1;
		p->source_port = tcp[0];
		p->target_port = tcp[1];
		if (!quoted) {
			p->flags = ((const __u8 *)tcp)[13];
			p->payload += (((const __u8 *)tcp)[12] >> 4) * 4;
		}
		return 0;
	}
	case IP_UDP:
	case IP_UDPLITE: {
		const __be16 *udp = header(skb, p->transport, buffer, 8);
		if (!udp)
			return -1;
		p->source_port = udp[0];
		p->target_port = udp[1];
		p->payload += 8;
		return 0;
	}
	case IP_SCTP: {
		const __be16 *sctp = header(skb, p->transport, buffer, quoted ? 8 : 16);
		if (!sctp)
			return -1;
		p->source_port = sctp[0];
		p->target_port = sctp[1];
		p->payload += 12;
		if (!quoted)
			p->flags = sctp_flags(((const __u8 *)sctp)[12]);
		return 0;
	}
	case IP_ICMP:
	case IP_ICMPV6: {
		const __u8 *icmp = header(skb, p->transport, buffer, 8);
		if (!icmp)
			return -1;
		p->icmp_type = icmp[0];
		p->icmp_code = icmp[1];
		p->payload += 8;
		return 0;
	}
	default:
		return 0;
	}
}

/* Reads what an IPv4 header says, but for the addresses. */
static __always_inline int ipv4(const struct ipv4_header *ip, struct packet *p)
{
	__u32 length = (ip->version_length & 0xf) * 4;
	__u16 fragment = bpf_ntohs(ip->fragment);

	if ((ip->version_length >> 4) != 4 || length < sizeof(*ip))
		return -1;
	p->transport = p->network + length;
	p->protocol = ip->protocol;
	p->bytes = bpf_ntohs(ip->length);
	p->fragment_id = ip->id;
	if (fragment & 0x1fff)
		p->fragment = LATER_FRAGMENT;
	else if (fragment & 0x2000)
		p->fragment = FIRST_FRAGMENT;
	return 0;
}

/*
 * Walks one extension header. Returns 1 to go on, 0 when at the end, -1 when
 * cut short.
 */
static __always_inline int extension(struct __sk_buff *skb, struct packet *p)
{
	struct fragment_header next;
	__u32 length;

	switch (p->protocol) {
	case 0: /* hop by hop */
	case IP_ROUTING:
	case IP_FRAG:
	case IP_AH:
	case IP_DSTOPTS:
	case IP_MOBILE:
	case IP_HIP:
	case IP_SHIM6:
		break;
	default:
		return 0;
	}
	if (p->transport > HEADERS_MAX ||
	    bpf_skb_load_bytes(skb, p->transport, &next, sizeof(next)))
		return -1;
	length = (next.reserved + 1) * 8;
	if (p->protocol == IP_AH)
		length = (next.reserved + 2) * 4;
	if (p->protocol == IP_FRAG) {
		__u16 offset = bpf_ntohs(next.offset_more);
		length = sizeof(next);
		p->fragment_id = next.id;
		if (offset & ~7)
			p->fragment = LATER_FRAGMENT;
		else if (offset & 1)
			p->fragment = FIRST_FRAGMENT;
	}
	p->transport += length;
	p->protocol = next.next;
	/* What follows a later fragment's header is data, whatever it is called. */
	return p->fragment != LATER_FRAGMENT;
}

/*
 * Walks all extension headers. Global, so that the verifier looks at it once
 * and not on each way to it.
 */
__noinline int extensions(struct __sk_buff *skb, struct packet *p)
{
	if (!p)
		return -1;
	for (int i = 0; i <= EXTENSIONS_MAX; i++) {
		int more = extension(skb, p);
		if (more <= 0)
			return more;
	}
	return -1;
}

/* Reads what an IPv6 header and its extensions say, but for the addresses. */
static __always_inline int ipv6(struct __sk_buff *skb, const struct ipv6_header *ip,
				struct packet *p)
{
	__u32 length = bpf_ntohs(ip->length);

	if ((*(const __u8 *)ip >> 4) != 6)
		return -1;
	p->transport = p->network + sizeof(*ip);
	p->protocol = ip->next;
	p->bytes = length ? length + sizeof(*ip) : 0;
	if (p->protocol == IP_TCP || p->protocol == IP_UDP)
		return 0;
	return extensions(skb, p);
}

#endif
