/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What finds no room in the flow map goes out by the ring buffer, or is counted as lost. */
#ifndef NETCINCH_SPILL_H
#define NETCINCH_SPILL_H

#include "flow.h"
#include "maps.h"

__noinline int spill4(const struct key4 *key, const struct flow4 *value)
{
	struct losses *losses = lost();
	struct overflow4 *event;

	if (!key || !value || !losses)
		return 0;
	losses->map_full++;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_lost(losses, value->flow.tx + value->flow.rx);
		return 0;
	}
	event->kind = EVENT_OVERFLOW4;
	event->padding = 0;
	event->key = *key;
	event->flow = value->flow;
	event->nat = value->nat;
	bpf_ringbuf_submit(event, 0);
	losses->told_packets += (value->flow.tx >> COUNT_SHIFT) + (value->flow.rx >> COUNT_SHIFT);
	losses->told_bytes += (value->flow.tx & BYTES_MASK) + (value->flow.rx & BYTES_MASK);
	return 0;
}

__noinline int spill6(const struct key6 *key, const struct flow6 *value)
{
	struct losses *losses = lost();
	struct overflow6 *event;

	if (!key || !value || !losses)
		return 0;
	losses->map_full++;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_lost(losses, value->flow.tx + value->flow.rx);
		return 0;
	}
	event->kind = EVENT_OVERFLOW6;
	event->padding = 0;
	event->key = *key;
	event->flow = value->flow;
	event->nat = value->nat;
	bpf_ringbuf_submit(event, 0);
	losses->told_packets += (value->flow.tx >> COUNT_SHIFT) + (value->flow.rx >> COUNT_SHIFT);
	losses->told_bytes += (value->flow.tx & BYTES_MASK) + (value->flow.rx & BYTES_MASK);
	return 0;
}

#endif
