package redistest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/redis/go-redis/v9"
)

// dumpFile is where a server looks for its data at the start, within its folder.
const dumpFile = "dump.rdb"

// Snapshot saves what the server holds now and returns it, for RestartFrom. Nothing stays on the disk.
func (s *Server) Snapshot(ctx context.Context) ([]byte, error) {
	client := s.client()
	defer client.Close()
	if err := client.Save(ctx).Err(); err != nil {
		return nil, fmt.Errorf("save redis: %w", err)
	}
	file := filepath.Join(s.folder, dumpFile)
	dump, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the dump of redis: %w", err)
	}
	return dump, os.Remove(file)
}

// RestartFrom ends the server at once and starts it with the data of an earlier Snapshot, as somebody does who restores
// yesterday's backup. Later restarts are empty again.
func (s *Server) RestartFrom(dump []byte) error {
	if err := s.Kill(); err != nil {
		return err
	}
	file := filepath.Join(s.folder, dumpFile)
	if err := os.WriteFile(file, dump, 0o600); err != nil {
		return fmt.Errorf("write the dump of redis: %w", err)
	}
	err := s.start()
	if gone := os.Remove(file); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// Set changes a setting of the running server, such as maxmemory.
func (s *Server) Set(ctx context.Context, name, value string) error {
	client := s.client()
	defer client.Close()
	if err := client.ConfigSet(ctx, name, value).Err(); err != nil {
		return fmt.Errorf("set %s of redis: %w", name, err)
	}
	return nil
}

// client is a connection to this one server, past any proxy. It does not repeat what failed.
func (s *Server) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
}
