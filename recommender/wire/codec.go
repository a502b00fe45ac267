// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// Both are safe for concurrent use through EncodeAll and DecodeAll. They are
// made with the package and not on first use: what they hold must not belong
// to the test (testing/synctest) that happens to come first.
var (
	encoder, encoderErr = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedDefault))
	// The decoder stops at MaxDecoded, whatever the frame's header promises.
	decoder, decoderErr = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxDecoded), zstd.WithDecoderMaxWindow(8<<20))
)

// Encode gives the body of a POST: protobuf in zstd. It refuses what [Validate]
// refuses and what would exceed the limits, so that an agent learns of it before the network.
func Encode(b *Batch) ([]byte, error) {
	if err := Validate(b); err != nil {
		return nil, fmt.Errorf("encoding a batch: %w", err)
	}
	raw, err := proto.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encoding a batch: %w", err)
	}
	if len(raw) > MaxDecoded {
		return nil, fmt.Errorf("encoding a batch: %w", tooLarge("batch", "has %d bytes, at most %d", len(raw), MaxDecoded))
	}
	if encoderErr != nil {
		return nil, fmt.Errorf("preparing compression: %w", encoderErr)
	}
	body := encoder.EncodeAll(raw, nil)
	if len(body) > MaxEncoded {
		return nil, fmt.Errorf("encoding a batch: %w", tooLarge("batch", "has %d bytes compressed, at most %d", len(body), MaxEncoded))
	}
	return body, nil
}

// Decode reads the body of a POST and judges it with [Validate]. It never
// holds more than MaxEncoded + MaxDecoded bytes of it, and judges the number
// of entries before it makes room for them.
func Decode(body io.Reader) (*Batch, error) {
	packed, err := io.ReadAll(io.LimitReader(body, MaxEncoded+1))
	if err != nil {
		return nil, fmt.Errorf("reading a batch: %w", err)
	}
	if len(packed) > MaxEncoded {
		return nil, tooLarge("batch", "has more than %d bytes compressed", MaxEncoded)
	}
	raw, err := decompress(packed)
	if err != nil {
		return nil, err
	}
	if err := scan(raw); err != nil {
		return nil, err
	}
	b := new(Batch)
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, malformed("batch", -1, "is not the protobuf of this contract: %v", err)
	}
	if err := Validate(b); err != nil {
		return nil, err
	}
	return b, nil
}

func decompress(packed []byte) ([]byte, error) {
	if decoderErr != nil {
		return nil, fmt.Errorf("preparing decompression: %w", decoderErr)
	}
	raw, err := decoder.DecodeAll(packed, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) || len(raw) > MaxDecoded {
		return nil, tooLarge("batch", "has more than %d bytes decompressed", MaxDecoded)
	}
	if err != nil {
		return nil, malformed("batch", -1, "is cut or damaged, or no zstd: %v", err)
	}
	return raw, nil
}
