package projections

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"rolewise/readmodels"
)

// perRead is how many documents are compared at once.
const perRead = 1000

// difference returns what turns the live read model into what it is to be. Of the plans that were folded everything is
// compared with what is stored; in the indexes of the catalog, where entries of other plans stand too, only what their
// events did then and do now. Should documents of the catalog differ, errWider: those may depend on other plans.
func (r *replay) difference(ctx context.Context) (readmodels.Batch, error) {
	b := readmodels.Batch{Scope: r.projector.projection.Scope, Put: map[readmodels.Key][]byte{}}
	keys := maps.Clone(r.was.into.keys)
	maps.Copy(keys, r.will.into.keys)
	for some := range slices.Chunk(slices.Collect(maps.Keys(keys)), perRead) {
		if err := r.documents(ctx, some, b.Put); err != nil {
			return b, err
		}
	}
	entries := maps.Clone(r.was.into.entries)
	maps.Copy(entries, r.will.into.entries)
	indexes := map[readmodels.Index]bool{}
	for entry := range entries {
		indexes[entry.Index] = true
	}
	for index := range indexes {
		if err := r.entries(ctx, index, &b); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (r *replay) documents(ctx context.Context, keys []readmodels.Key, put map[readmodels.Key][]byte) error {
	scope := r.projector.projection.Scope
	will, err := r.will.into.Get(ctx, scope, keys...)
	if err != nil {
		return err
	}
	was, err := r.was.into.Get(ctx, scope, keys...)
	if err != nil {
		return err
	}
	live, err := r.projector.store.Get(ctx, scope, keys...)
	if err != nil {
		return err
	}
	for i, key := range keys {
		switch {
		case !r.owns(key.Plan) && !bytes.Equal(was[i], will[i]):
			return errWider
		case r.owns(key.Plan) && !bytes.Equal(live[i], will[i]):
			put[key] = will[i]
		}
	}
	return nil
}

func (r *replay) entries(ctx context.Context, index readmodels.Index, b *readmodels.Batch) error {
	from := readmodels.Reader(r.was.into)
	if r.owns(index.Plan) {
		from = r.projector.store
	}
	before, err := from.Entries(ctx, b.Scope, index, readmodels.Range{})
	if err != nil {
		return err
	}
	after, err := r.will.into.Entries(ctx, b.Scope, index, readmodels.Range{})
	if err != nil {
		return err
	}
	for _, value := range missing(after, before) {
		b.Add = append(b.Add, readmodels.Entry{Index: index, Value: value})
	}
	for _, value := range missing(before, after) {
		b.Remove = append(b.Remove, readmodels.Entry{Index: index, Value: value})
	}
	return nil
}

// missing returns what a sorted list has and another has not.
func missing(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(value string) bool {
		_, found := slices.BinarySearch(other, value)
		return found
	})
}
