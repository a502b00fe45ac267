// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
})

// decoders are reused: making one costs more than reading a batch. Each stops
// at MaxDecoded, whatever the frame's header promises.
var decoders = sync.Pool{}

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
		return nil, fmt.Errorf("encoding a batch: %w", tooLarge("batch", -1, "has %d bytes, at most %d", len(raw), MaxDecoded))
	}
	z, err := encoder()
	if err != nil {
		return nil, fmt.Errorf("preparing compression: %w", err)
	}
	body := z.EncodeAll(raw, nil)
	if len(body) > MaxEncoded {
		return nil, fmt.Errorf("encoding a batch: %w", tooLarge("batch", -1, "has %d bytes compressed, at most %d", len(body), MaxEncoded))
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
		return nil, tooLarge("batch", -1, "has more than %d bytes compressed", MaxEncoded)
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
	d, ok := decoders.Get().(*zstd.Decoder)
	if !ok {
		var err error
		d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(MaxDecoded), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, fmt.Errorf("preparing decompression: %w", err)
		}
	}
	defer func() {
		_ = d.Reset(nil) // lets go of the body; a nil reader cannot fail
		decoders.Put(d)
	}()
	if err := d.Reset(bytes.NewReader(packed)); err != nil {
		return nil, malformed("batch", -1, "is not zstd: %v", err)
	}
	raw, err := io.ReadAll(io.LimitReader(d, MaxDecoded+1))
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) || len(raw) > MaxDecoded {
		return nil, tooLarge("batch", -1, "has more than %d bytes decompressed", MaxDecoded)
	}
	if err != nil {
		return nil, malformed("batch", -1, "is cut or damaged zstd: %v", err)
	}
	return raw, nil
}
