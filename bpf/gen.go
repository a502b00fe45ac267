// SPDX-License-Identifier: Apache-2.0

// Package bpf holds the flow program, compiled, and the structs that it shares
// with user space. flow.bpf.c is its source, flow.h its contract; the objects
// are committed, so that building needs no clang.
package bpf

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type key4 -type key6 -type flow4 -type flow6 -type overflow4 -type overflow6 -type dns_event -type losses -type cached4 -type cached6 -type places4 -type places6 -type control -type interface -type attachment -type mark -type turn -type drained4 -type drained6 -type fragment4 -type fragment6 -type own_address Flow flow.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type executable -type listener -type listening -type socket_seen Owner owner.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf -type drop -type dropped Drops drops.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -go-package bpf Connect connect.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3
