package esdbtest

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// followAll sends what comes after a position: pages until nothing is left, then new events as they are written. A live subscriber
// that lags is dropped and has to subscribe again; later versions go back to reading pages for it.
func (r *reading) followAll(asked *streams.ReadReq_Options_AllOptions) error {
	after := uint64(0)
	switch at := asked.AllOption.(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		after = at.Position.CommitPosition
	case *streams.ReadReq_Options_AllOptions_End:
		if records := r.all(); len(records) > 0 {
			after = records[len(records)-1].position
		}
	}
	_, _, valid := r.from(after)
	if !valid && r.modern {
		return errInvalid
	}
	if !valid {
		return errHandler
	}
	if err := r.confirm(); err != nil {
		return err
	}
	considered, live := 0, false
	for reached := after; ; {
		records, changed := r.after(reached)
		if live && count(records, r.wants) > liveBuffer {
			if !r.modern {
				return ErrTooSlow
			}
			live = false
		}
		matched, place, first := 0, after, reached == after
		for i, e := range records {
			reached = e.position
			considered++
			wanted := r.wants(e)
			if wanted {
				if err := r.sendEvent(e); err != nil {
					return err
				}
				matched++
			}
			if live || wanted || i == 0 && !first { // otherwise a checkpoint lags: it is the last match, or where the page began
				place = e.position
			}
			if r.window > 0 && considered >= r.window {
				considered = 0
				if err := r.checkpoint(place); err != nil {
					return err
				}
			}
			if !live && matched == readBatch {
				break
			}
		}
		if len(records) > 0 {
			continue
		}
		if !live {
			live = true
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if err := r.wait(changed); err != nil {
			return err
		}
	}
}

// followStream sends what a stream holds after a revision. It waits in silence for a stream that does not exist; later versions
// report that it has caught up.
func (r *reading) followStream(asked *streams.ReadReq_Options_StreamOptions) error {
	name, after := string(asked.StreamIdentifier.GetStreamName()), int64(-1)
	switch at := asked.RevisionOption.(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		var err error
		if after, err = revision(at.Revision); err != nil {
			return err
		}
	case *streams.ReadReq_Options_StreamOptions_End:
		if records, exists, _, _ := r.stream(name); exists && len(records) > 0 {
			after = records[len(records)-1].revision
		}
	}
	if err := r.confirm(); err != nil {
		return err
	}
	for live := false; ; {
		records, exists, gone, changed := r.stream(name)
		if gone {
			if last := r.tombstone(name); live && last != nil {
				if err := r.sendEvent(last); err != nil {
					return err
				}
			}
			return streamDeleted(name)
		}
		begin, _ := slices.BinarySearchFunc(records, after+1, func(e *record, n int64) int { return int(e.revision - n) })
		records = records[begin:]
		if live && len(records) > liveBuffer {
			if !r.modern {
				return ErrTooSlow
			}
			live = false
		}
		for _, e := range records {
			if err := r.sendEvent(e); err != nil {
				return err
			}
			after = e.revision
		}
		if len(records) > 0 {
			continue
		}
		if (exists || r.modern) && !live {
			live = true
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if err := r.wait(changed); err != nil {
			return err
		}
	}
}

func (r *reading) wait(changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

func (r *reading) confirm() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

func (r *reading) caughtUp() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

func (r *reading) checkpoint(position uint64) error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position},
	}})
}

func (r *reading) sendEvent(e *record) error {
	content := contentBytes
	if e.json {
		content = contentJSON
	}
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               r.idAsked(e.id),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(e.stream)},
			StreamRevision:   uint64(e.revision),
			PreparePosition:  e.position,
			CommitPosition:   e.position,
			Metadata:         map[string]string{"type": e.kind, "content-type": content, "created": strconv.FormatInt(e.created, 10)},
			CustomMetadata:   e.custom,
			Data:             e.data,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: e.position},
	}}})
}

// idAsked encodes an id as the caller wants it: as text, or in two halves.
func (r *reading) idAsked(id uuid.UUID) *shared.UUID {
	if r.options.GetUuidOption().GetString_() != nil {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}
