package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOperatorKey(t *testing.T) {
	t.Run("made at the first start, kept later", func(t *testing.T) {
		t.Setenv(operatorKeyVariable, "")
		file := filepath.Join(t.TempDir(), "operator.key")
		o := serveOptions{eventstore: "sqlite:" + filepath.Join(filepath.Dir(file), "events.db")}
		first, where, err := operatorKey(o)
		if err != nil || where != file || len(first) < 32 {
			t.Fatalf("%q at %q, %v", first, where, err)
		}
		wantThere(t, file, true)
		again, where, err := operatorKey(o)
		if err != nil || where != file || again != first {
			t.Errorf("later %q at %q, %v, want %q", again, where, err, first)
		}
	})
	t.Run("from the environment", func(t *testing.T) {
		strongKey := strings.Repeat("k", 32)
		t.Setenv(operatorKeyVariable, strongKey)
		key, where, err := operatorKey(serveOptions{})
		if err != nil || key != strongKey || where != operatorKeyVariable {
			t.Errorf("%q at %q, %v", key, where, err)
		}
		t.Setenv(operatorKeyVariable, strongKey[1:])
		if _, _, err := operatorKey(serveOptions{}); err == nil || !strings.Contains(err.Error(), operatorKeyVariable) || strings.Contains(err.Error(), "kkk") {
			t.Errorf("a short key: %v", err)
		}
	})
	for name, content := range map[string]string{"empty": "\n", "too short": strings.Repeat("k", 31) + "\n"} {
		t.Run("a file that is "+name, func(t *testing.T) {
			t.Setenv(operatorKeyVariable, "")
			folder := t.TempDir()
			file := filepath.Join(folder, "operator.key")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, o := range []serveOptions{{operatorKeyFile: file}, {eventstore: "sqlite:" + filepath.Join(folder, "events.db")}} {
				_, _, err := operatorKey(o)
				if err == nil || !strings.Contains(err.Error(), file+" is "+name) || strings.Contains(err.Error(), "kkk") {
					t.Errorf("%+v: %v", o, err)
				}
			}
		})
	}
}
