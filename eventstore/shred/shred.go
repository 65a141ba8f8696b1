// Package shred encrypts the personal fields of events under a key for each person, so that destroying the key
// erases the person from a log that is never changed (SPEC AUD-6).
package shred

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"rolewise/eventstore"
)

// Field tags a personal value of an event.
type Field struct {
	Path    string // JSON key at top level, or a dotted path; arrays on the way are passed through, element by element
	Subject string // JSON key in the same event that holds the id of the member whom the value is about
}

// Fields names the personal values of each event type. Types that are not in it pass through unparsed.
type Fields map[string][]Field

type field struct{ path, subject []string }

type store struct {
	inner  eventstore.Store
	keys   *Keys
	fields map[string][]field
}

// New returns a store that encrypts tagged fields on their way into inner, and decrypts them on their way out.
//
// A tagged value becomes {"enc":"<base64>"}, which adds to the size of an event: MaxAppend holds for the result.
// A field whose key was destroyed, or is not there, is null; it is stored as null too when an event about an erased
// person is appended. A value that does not decrypt is an error. A tagged value found in clear is given as it is, so
// that a field may be tagged later. Closing the store closes inner and leaves the keys to their owner.
func New(inner eventstore.Store, keys *Keys, fields Fields) eventstore.Store {
	s := &store{inner: inner, keys: keys, fields: map[string][]field{}}
	for kind, tagged := range fields {
		for _, f := range tagged {
			s.fields[kind] = append(s.fields[kind],
				field{path: strings.Split(f.Path, "."), subject: strings.Split(f.Subject, ".")})
		}
	}
	return s
}

// Append implements eventstore.Store. Keys that it needs are durable before the events are.
func (s *store) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	sealed := events
	for i, e := range events {
		if len(s.fields[e.Type]) == 0 {
			continue
		}
		data, err := s.seal(ctx, stream, e)
		if err != nil {
			return 0, err
		}
		if &sealed[0] == &events[0] {
			sealed = slices.Clone(events)
		}
		sealed[i].Data = data
	}
	return s.inner.Append(ctx, stream, expected, sealed...)
}

// Read implements eventstore.Store.
func (s *store) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for e, err := range s.inner.Read(ctx, stream, from) {
			if err == nil {
				e.Data, err = s.open(ctx, e)
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Follow implements eventstore.Store. Pages are those of the inner store.
func (s *store) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range s.inner.Follow(ctx, after, filter) {
			if err == nil {
				page.Events, err = s.openAll(ctx, page.Events)
			}
			if err != nil {
				yield(eventstore.Page{}, err)
				return
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// Info implements eventstore.Store.
func (s *store) Info(ctx context.Context) (eventstore.Info, error) { return s.inner.Info(ctx) }

// Close implements eventstore.Store.
func (s *store) Close() error { return s.inner.Close() }

// openAll decrypts the events of a page, which is copied if one of them changes.
func (s *store) openAll(ctx context.Context, events []eventstore.Recorded) ([]eventstore.Recorded, error) {
	opened, copied := events, false
	for i, e := range events {
		if len(s.fields[e.Type]) == 0 {
			continue
		}
		data, err := s.open(ctx, e)
		if err != nil {
			return nil, err
		}
		if !copied {
			opened, copied = slices.Clone(events), true
		}
		opened[i].Data = data
	}
	return opened, nil
}

var null = []byte("null")

// seal encrypts the tagged fields of an event.
func (s *store) seal(ctx context.Context, stream eventstore.StreamID, e eventstore.Event) ([]byte, error) {
	if !json.Valid(e.Data) {
		return nil, invalid(e.Type, "must be JSON, since it holds personal fields")
	}
	edits, err := s.edits(e.Type, e.Data, func(at span, value []byte, subject string) ([]byte, error) {
		if bytes.Equal(value, null) {
			return nil, nil
		}
		if subject == "" {
			return nil, invalid(e.Type, "must say whom its field "+strings.TrimPrefix(at.path, ".")+" is about")
		}
		key, err := s.keys.provide(ctx, stream.Plan, subject)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &eventstore.UnavailableError{Err: err}
		}
		if key == nil {
			return null, nil
		}
		return encrypt(key, value, binding(stream, e, at.path)), nil
	})
	if err != nil {
		return nil, err
	}
	data, err := splice(e.Data, edits)
	if err != nil {
		return nil, invalid(e.Type, err.Error())
	}
	return data, nil
}

// open decrypts the tagged fields of an event.
func (s *store) open(ctx context.Context, e eventstore.Recorded) ([]byte, error) {
	if len(s.fields[e.Type]) == 0 {
		return e.Data, nil
	}
	edits, err := s.edits(e.Type, e.Data, func(at span, value []byte, subject string) ([]byte, error) {
		if !encrypted(value) {
			return nil, nil
		}
		key, err := s.keys.find(ctx, e.Stream.Plan, subject)
		if err != nil {
			return nil, err
		}
		if key == nil {
			return null, nil
		}
		return decrypt(key, value, binding(e.Stream, e.Event, at.path))
	})
	data := e.Data
	if err == nil && len(edits) > 0 {
		data, err = splice(e.Data, edits)
	}
	if err != nil {
		return nil, fmt.Errorf("personal fields of %s at position %s: %w", e.Type, e.Position, err)
	}
	return data, nil
}

// edits asks for the replacement of each tagged value in an event; nil leaves the value as it is.
func (s *store) edits(kind string, data []byte, replace func(at span, value []byte, subject string) ([]byte, error)) ([]edit, error) {
	var edits []edit
	var buffer [16]pair
	in := textOf(data, buffer[:0])
	for _, f := range s.fields[kind] {
		found, err := in.locate(f.path)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		subject, err := in.subject(f.subject)
		if err != nil {
			return nil, err
		}
		for _, at := range found {
			value, err := replace(at, data[at.from:at.to], subject)
			if err != nil {
				return nil, err
			}
			if value != nil {
				edits = append(edits, edit{span: at, value: value})
			}
		}
	}
	return edits, nil
}

func invalid(kind, why string) error {
	return &eventstore.InvalidError{What: "event " + kind, Why: why}
}

// binding is authenticated with a value, so that it decrypts nowhere but in its own place.
func binding(stream eventstore.StreamID, e eventstore.Event, path string) []byte {
	b := make([]byte, 0, 128)
	for _, part := range []string{stream.Plan, stream.String(), string(e.ID[:]), path} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// What an encrypted value begins and ends with.
const (
	opening = `{"enc":"`
	ending  = `"}`
)

func encrypted(value []byte) bool {
	return bytes.HasPrefix(value, []byte(opening)) && bytes.HasSuffix(value, []byte(ending))
}

func encrypt(key cipher.AEAD, value, binding []byte) []byte {
	nonce := make([]byte, key.NonceSize(), key.NonceSize()+len(value)+key.Overhead())
	_, _ = rand.Read(nonce) // never fails
	sealed := key.Seal(nonce, nonce, value, binding)
	out := base64.StdEncoding.AppendEncode([]byte(opening), sealed)
	return append(out, ending...)
}

var errDamaged = errors.New("an encrypted value is damaged, or was moved from elsewhere")

func decrypt(key cipher.AEAD, value, binding []byte) ([]byte, error) {
	sealed, err := base64.StdEncoding.AppendDecode(nil, value[len(opening):len(value)-len(ending)])
	if err != nil || len(sealed) < key.NonceSize() {
		return nil, errDamaged
	}
	plain, err := key.Open(nil, sealed[:key.NonceSize()], sealed[key.NonceSize():], binding)
	if err != nil {
		return nil, errDamaged
	}
	return plain, nil
}
