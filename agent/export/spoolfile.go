// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A spool file is a header of 20 bytes and the body of a POST:
//
//	0  "NCSP"
//	4  version, 1; three bytes of zero
//	8  length of the body, big endian
//	16 CRC-32C of the body, big endian
const (
	fileMagic   = "NCSP"
	fileVersion = 1
	headerSize  = 20
	fileSuffix  = ".batch"
	asideSuffix = ".damaged"
	tempSuffix  = ".tmp"
)

// ErrDamaged says that a spool file is not what was written.
var ErrDamaged = errors.New("damaged spool file")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeFile(body []byte) []byte {
	file := make([]byte, headerSize, headerSize+len(body))
	copy(file, fileMagic)
	file[4] = fileVersion
	binary.BigEndian.PutUint64(file[8:], uint64(len(body)))
	binary.BigEndian.PutUint32(file[16:], crc32.Checksum(body, castagnoli))
	return append(file, body...)
}

// decodeFile gives the body; every error is an ErrDamaged that says how.
func decodeFile(file []byte) ([]byte, error) {
	if len(file) < headerSize {
		return nil, fmt.Errorf("%w: %d bytes, the header alone has %d", ErrDamaged, len(file), headerSize)
	}
	if string(file[:4]) != fileMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrDamaged, fileMagic)
	}
	if file[4] != fileVersion {
		return nil, fmt.Errorf("%w: version %d, this agent reads %d", ErrDamaged, file[4], fileVersion)
	}
	body := file[headerSize:]
	if want := binary.BigEndian.Uint64(file[8:]); want != uint64(len(body)) {
		return nil, fmt.Errorf("%w: %d bytes of body, the header says %d", ErrDamaged, len(body), want)
	}
	if want := binary.BigEndian.Uint32(file[16:]); want != crc32.Checksum(body, castagnoli) {
		return nil, fmt.Errorf("%w: checksum differs", ErrDamaged)
	}
	return body, nil
}

// name is what a batch is called within its node: it makes a retry idempotent.
type name struct {
	epoch    string
	sequence uint64
}

func (n name) file() string { return fmt.Sprintf("%020d-%s%s", n.sequence, n.epoch, fileSuffix) }

func parseName(file string) (name, bool) {
	stem, ok := strings.CutSuffix(file, fileSuffix)
	if !ok {
		return name{}, false
	}
	digits, epoch, ok := strings.Cut(stem, "-")
	if !ok || len(digits) != 20 || epoch == "" {
		return name{}, false
	}
	sequence, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || sequence == 0 {
		return name{}, false
	}
	return name{epoch, sequence}, true
}

// writeFile makes the file appear whole or not at all, and durable.
func writeFile(dir, file string, body []byte) error {
	return writeFileWith(dir, file, body, true)
}

// writeFileWith is durable only where it is told to be: else the file survives
// the process, but not the machine.
func writeFileWith(dir, file string, body []byte, durable bool) (err error) {
	temp := filepath.Join(dir, file+tempSuffix)
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp) // best effort: what matters is the first error
		}
	}()
	_, err = f.Write(encodeFile(body))
	if err == nil && durable {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if err = os.Rename(temp, filepath.Join(dir, file)); err != nil || !durable {
		return err
	}
	return syncDirectory(dir)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	return err
}
