package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// fact is one line about where and when the figures were taken.
type fact struct{ name, value string }

// machine tells what the figures depend on. What cannot be found out is left out.
func machine(ctx context.Context, folder string) []fact {
	facts := []fact{
		{"Date", time.Now().UTC().Format("2006-01-02 15:04 MST")},
		{"Commit", commit(ctx)},
		{"Cores", fmt.Sprintf("%d, %s", runtime.NumCPU(), orUnknown(field("/proc/cpuinfo", "model name")))},
		{"Memory", orUnknown(memorySize())},
		{"Load at the start", orUnknown(loadAverage())},
		{"Kernel", orUnknown(output(ctx, "uname", "-srm"))},
		{"File system", orUnknown(fileSystem(folder))},
		{"Go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
		{"SQLite", orUnknown(sqliteVersion(ctx))},
		{"Redis", orUnknown(redisVersion(ctx))},
	}
	return facts
}

// memorySize is that of the machine.
func memorySize() string {
	kib, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%.1f GiB", kib/(1<<20))
}

// loadAverage tells how busy the machine was in the last minute before.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	average, _, _ := strings.Cut(string(b), " ")
	return average + " in the last minute"
}

// commit names the commit of the working folder, and says if it was changed since.
func commit(ctx context.Context) string {
	id := output(ctx, "git", "rev-parse", "--short=12", "HEAD")
	if id == "" {
		return "unknown"
	}
	if output(ctx, "git", "status", "--porcelain", "--", "..") != "" {
		id += ", with changes that are not committed"
	}
	return id
}

func sqliteVersion(ctx context.Context) string {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return ""
	}
	defer db.Close()
	version := ""
	if db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version) != nil {
		return ""
	}
	return version + " (modernc.org/sqlite)"
}

// redisVersion takes 7.0.15 out of "Redis server v=7.0.15 sha=…".
func redisVersion(ctx context.Context) string {
	_, rest, _ := strings.Cut(output(ctx, "redis-server", "--version"), "v=")
	version, _, _ := strings.Cut(rest, " ")
	return version
}

// output is what a program prints, empty if it fails.
func output(ctx context.Context, name string, args ...string) string {
	b, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// field returns the first value of a name in a file of "name: value" lines.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
