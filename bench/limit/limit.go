// Package limit is the fastest durable log that one file allows: what an event store could reach if it only numbered events, checked
// revisions and wrote bytes. Benchmarks compare Daybook with it; Daybook does not use it.
//
// The file is filled with zeros beforehand, and writing starts again from its beginning when it is full. So a commit never changes the
// file's size: it is one pwrite and one fdatasync for all waiting appends. Events cannot be read back by stream.
package limit

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"syscall"
)

const (
	maxBatch = 512
	maxBytes = 1 << 20
)

var table = crc32.MakeTable(crc32.Castagnoli)

// A Log is a file and the goroutine that writes it.
type Log struct {
	file     *os.File
	size     int64
	requests chan *request
	done     chan struct{}
}

type request struct {
	stream     string
	expected   int64
	id         [16]byte
	kind       string
	data, meta []byte
	answer     chan error
}

// Create creates a log in a new file of size bytes.
func Create(path string, size int64) (*Log, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := fill(file, size); err != nil {
		file.Close()
		return nil, err
	}
	l := &Log{file: file, size: size, requests: make(chan *request, maxBatch), done: make(chan struct{})}
	go l.write()
	return l, nil
}

func fill(file *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := file.WriteAt(zeros, at); err != nil {
			return err
		}
	}
	return file.Sync()
}

// Append writes an event to a stream at the revision expected, -1 for a new one, and returns when it is durable.
func (l *Log) Append(stream string, expected int64, id [16]byte, kind string, data, meta []byte) error {
	r := &request{stream: stream, expected: expected, id: id, kind: kind, data: data, meta: meta, answer: make(chan error, 1)}
	l.requests <- r
	return <-r.answer
}

// Close waits for the writer. No Append may be in progress.
func (l *Log) Close() error {
	close(l.requests)
	<-l.done
	return l.file.Close()
}

func (l *Log) write() {
	defer close(l.done)
	revisions := map[string]int64{}
	var position uint64
	var at int64
	batch, buffer, errs := make([]*request, 0, maxBatch), make([]byte, 0, 2*maxBytes), make([]error, 0, maxBatch)
	for r := range l.requests {
		runtime.Gosched()
		batch, buffer, errs = append(batch[:0], r), buffer[:0], errs[:0]
		for i := 0; i < len(batch); i++ {
			r := batch[i]
			revision, known := revisions[r.stream]
			if !known {
				revision = -1
			}
			if revision == r.expected {
				position++
				revisions[r.stream] = revision + 1
				buffer = encode(buffer, r, position)
				errs = append(errs, nil)
			} else {
				errs = append(errs, fmt.Errorf("stream %s is at revision %d, not %d", r.stream, revision, r.expected))
			}
			if len(batch) < maxBatch && len(buffer) < maxBytes {
				select {
				case r, ok := <-l.requests:
					if ok {
						batch = append(batch, r)
					}
				default:
				}
			}
		}
		if at+int64(len(buffer)) > l.size {
			at = 0
		}
		_, err := l.file.WriteAt(buffer, at)
		if err == nil {
			err = syscall.Fdatasync(int(l.file.Fd()))
		}
		at += int64(len(buffer))
		for i, r := range batch {
			if err != nil {
				errs[i] = err
			}
			r.answer <- errs[i]
		}
	}
}

// encode appends a frame: its length, its checksum, and everything that a reader would need.
func encode(b []byte, r *request, position uint64) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, position)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.expected+1))
	b = append(b, r.id[:]...)
	for _, part := range []string{r.stream, r.kind} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	for _, part := range [][]byte{r.data, r.meta} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(b[start+8:], table))
	return b
}
