package shred

import (
	"slices"
	"testing"
)

// What is found fast is what is found thoroughly, and nothing that is refused thoroughly is found fast.
func FuzzFlat(f *testing.F) {
	for _, seed := range []string{
		`{"member":"m1","name":{"enc":"AAAA"},"n":0,"size":12,"yes":true,"none":null}`, `{}`, `{"name":"a","NAME":"b"}`,
		`{"name":"a"} x`, `{"name":"a",}`, `{"name":"\u0041"}`, `{"name":{"enc":"a","more":1}}`, `{"name":01}`, `{"ſame":"x"}`,
		`{"name":"ä","member":"ä"}`, ` {"name":1}`, `{"name":-1}`, `{"name":[1]}`, `{"name":"a"`, `{"member":5}`, `{"name":1.5}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fast, slow := textOf(data, nil), text{data: data}
		for _, path := range [][]string{{"name"}, {"member"}, {"profile", "phones"}} {
			found, err := fast.locate(path)
			expected, failure := slow.locate(path)
			if (err == nil) != (failure == nil) || !slices.Equal(found, expected) {
				t.Errorf("%q has %v (%v) at %v, not %v (%v)", data, found, err, path, expected, failure)
			}
			named, _ := fast.subject(path)
			if expected, _ := slow.subject(path); named != expected {
				t.Errorf("%q is about %q, not %q", data, named, expected)
			}
		}
	})
}
