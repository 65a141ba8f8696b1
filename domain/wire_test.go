package domain_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"rolewise/domain"
	"rolewise/domain/events"
)

// Golden files are what the log of some installation may hold. -update adds those that are missing; it never rewrites
// one: an event whose data changed needs an upcast, which makes a new schema version and so a new file.
var update = flag.Bool("update", false, "write the golden files of event types, or versions, that have none")

const wireFolder = "testdata/wire"

func TestWire(t *testing.T) {
	if *update {
		if err := addGolden(wireFolder, events.All, instances); err != nil {
			t.Fatal(err)
		}
	}
	for _, eventType := range events.All.Types() {
		t.Run(eventType.Name, func(t *testing.T) {
			if err := checkType(wireFolder, events.All, eventType, instances); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("OPS-7 every golden file is still read", func(t *testing.T) {
		for _, err := range checkFolder(wireFolder, events.All) {
			t.Error(err)
		}
	})
}

func goldenName(name string, schema int) string { return fmt.Sprintf("%s.v%d.json", name, schema) }

func addGolden(folder string, c *domain.Catalog, instances []any) error {
	for _, event := range instances {
		name, schema, data, err := c.Encode(event)
		if err != nil {
			return err
		}
		file := filepath.Join(folder, goldenName(name, schema))
		if _, err := os.Stat(file); err == nil {
			continue
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, data, "", "  "); err != nil {
			return err
		}
		pretty.WriteByte('\n')
		if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// checkType compares the golden file of an event type's current version with the instance of the type, both ways.
func checkType(folder string, c *domain.Catalog, eventType domain.EventType, instances []any) error {
	i := slices.IndexFunc(instances, func(event any) bool {
		found, ok := c.Lookup(event)
		return ok && found.Name == eventType.Name
	})
	if i < 0 {
		return fmt.Errorf("there is no instance of %s", eventType.Name)
	}
	if empty := unset(eventType.Name, reflect.ValueOf(instances[i])); len(empty) > 0 {
		return fmt.Errorf("the instance leaves fields unset: %v", empty)
	}
	golden, err := os.ReadFile(filepath.Join(folder, goldenName(eventType.Name, eventType.Schema)))
	if err != nil {
		return fmt.Errorf("no golden file, make golden adds it: %w", err)
	}
	_, _, data, err := c.Encode(instances[i])
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, golden); err != nil {
		return err
	}
	if !bytes.Equal(compact.Bytes(), data) {
		return fmt.Errorf("written differently; what changed needs an upcast\ngolden  %s\nwritten %s", compact.Bytes(), data)
	}
	event, err := c.Decode(eventType.Name, eventType.Schema, compact.Bytes())
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(event, instances[i]) {
		return fmt.Errorf("read differently\nread %+v\nwant %+v", event, instances[i])
	}
	for _, key := range regexp.MustCompile(`"([^"]*)" *:`).FindAllStringSubmatch(string(golden), -1) {
		if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(key[1]) {
			return fmt.Errorf("the key %q is not snake_case", key[1])
		}
	}
	return nil
}

// checkFolder reads every golden file, of older versions too.
func checkFolder(folder string, c *domain.Catalog) []error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return []error{err}
	}
	var faults []error
	for _, file := range files {
		parts := regexp.MustCompile(`^(\w+)\.v(\d+)\.json$`).FindStringSubmatch(file.Name())
		if parts == nil {
			faults = append(faults, fmt.Errorf("%s is not named Event.vN.json", file.Name()))
			continue
		}
		data, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			return append(faults, err)
		}
		schema, err := strconv.Atoi(parts[2])
		if err != nil {
			return append(faults, err)
		}
		if _, err := c.Decode(parts[1], schema, data); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", file.Name(), err))
		}
	}
	return faults
}

// unset lists the fields of a value, however deep, that have their zero value.
func unset(path string, v reflect.Value) []string {
	var empty []string
	switch {
	case v.Kind() == reflect.Struct && v.NumField() == 0: // an event that says all by its name
	case v.IsZero(), v.Kind() == reflect.Slice && v.Len() == 0:
		return []string{path}
	case v.Kind() == reflect.Struct && v.Type().PkgPath() != "time":
		for i := range v.NumField() {
			empty = append(empty, unset(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Array:
		for i := range v.Len() {
			empty = append(empty, unset(fmt.Sprintf("%s[%d]", path, i), v.Index(i))...)
		}
	}
	return empty
}

// TestGoldenChecks shows that the checks above find what they are for.
func TestGoldenChecks(t *testing.T) {
	folder := t.TempDir()
	v1 := []byte(`{"name":"Ada Lovelace","names":1,"big":2}`)
	if err := os.WriteFile(filepath.Join(folder, goldenName("Named", 1)), v1, 0o600); err != nil {
		t.Fatal(err)
	}
	instance := named{First: "Ada", Last: "Lovelace", Names: 2, Big: 2}
	now := domain.NewCatalog(domain.Type[named]("Named", splitName, countNames))
	eventType := now.Types()[0]

	if err := checkType(folder, now, eventType, []any{instance}); err == nil {
		t.Error("a missing golden file was not found")
	}
	if err := addGolden(folder, now, []any{instance}); err != nil {
		t.Fatal(err)
	}
	if err := checkType(folder, now, eventType, []any{instance}); err != nil {
		t.Errorf("a golden file just written: %v", err)
	}
	if faults := checkFolder(folder, now); len(faults) != 0 {
		t.Errorf("versions 1 and 3: %v", faults)
	}
	if err := checkType(folder, now, eventType, nil); err == nil {
		t.Error("a missing instance was not found")
	}
	if err := checkType(folder, now, eventType, []any{named{First: "Ada", Last: "Lovelace", Names: 2}}); err == nil {
		t.Error("an unset field was not found")
	}
	if err := checkType(folder, now, eventType, []any{named{First: "Bob", Last: "Lovelace", Names: 2, Big: 2}}); err == nil {
		t.Error("other data than the file's was not found")
	}
	if err := addGolden(folder, now, []any{named{First: "Bob", Last: "Lovelace", Names: 2, Big: 2}}); err != nil {
		t.Fatal(err)
	}
	if err := checkType(folder, now, eventType, []any{instance}); err != nil {
		t.Errorf("a golden file was rewritten: %v", err)
	}
	if faults := checkFolder(folder, domain.NewCatalog(domain.Type[named]("Named", splitName))); len(faults) != 1 {
		t.Errorf("a version that is not known any more: %v", faults)
	}
	if faults := checkFolder(folder, domain.NewCatalog(domain.Type[opened]("Opened"))); len(faults) != 2 {
		t.Errorf("an event type that is gone: %v", faults)
	}
	if err := os.WriteFile(filepath.Join(folder, goldenName("Named", 2)), []byte(`{"first":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if faults := checkFolder(folder, now); len(faults) != 1 {
		t.Errorf("an older version that cannot be read: %v", faults)
	}
}
