package durability

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"rolewise/eventstore"
)

// fault is how a disk fails: at a kind of call on a file, after some that went well.
type fault struct {
	file    string        // end of its name after that of the database; folder: the folder itself
	call    string        // "write", "sync", "unlink" or "rename"
	errno   syscall.Errno // 0: a write that is cut short
	after   int
	lasting bool // all later calls of the kind fail too
}

const folder = "/"

func (f fault) String() string {
	what, times := f.errno.Error(), "once"
	if f.errno == 0 {
		what = "cut short"
	}
	if f.lasting {
		times = "for good"
	}
	return fmt.Sprintf("%s of %s: %s %s after %d calls", f.call, f.name(), what, times, f.after)
}

func (f fault) name() string {
	if f.file == folder {
		return ""
	}
	return storeName + f.file
}

// fatal tells whether a store must take no appends any more after the fault. A write that fails may come to the store
// as one that was cut short, and what is missing is written by the next one.
func (f fault) fatal() bool { return f.call == "sync" && f.file != folder }

// faulty is a disk that fails as told.
type faulty struct {
	mu     sync.Mutex
	fault  fault
	hits   int
	failed time.Time // from when on no append may begin that is acknowledged; zero: always
	moved  bool      // failed is the end of the commit that was under way when the first call failed
	struck chan struct{}
}

// synced is told of a commit that went well. When a call has failed before, it is taken for the one that was under
// way, since a store learns of a failed checkpoint beside its commits.
func (d *faulty) synced() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.failed.IsZero() && !d.moved {
		d.failed, d.moved = time.Now(), true
	}
}

// strikes tells whether a call fails.
func (d *faulty) strikes(name, call string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name != d.fault.name() || call != d.fault.call {
		return false
	}
	d.fault.after--
	if d.fault.after >= 0 || d.hits > 0 && !d.fault.lasting {
		return false
	}
	if d.hits++; d.hits == 1 {
		close(d.struck)
	}
	if d.fault.fatal() && d.failed.IsZero() {
		d.failed = time.Now()
	}
	return true
}

// mountFaulty shows a folder under another name, through a disk that fails. Only other processes may use it.
func mountFaulty(t *testing.T, folder string, f fault) (d *faulty, shown string, unmount func()) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("failing calls are not tried this way: %v", err)
	}
	d, shown = &faulty{fault: f, struck: make(chan struct{})}, t.TempDir()
	root := &fs.LoopbackRoot{Path: folder, NewNode: func(root *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &faultyNode{LoopbackNode: fs.LoopbackNode{RootData: root}, disk: d}
	}}
	top := root.NewNode(root, nil, "", nil)
	root.RootNode = top
	brief := time.Duration(0)
	server, err := fs.Mount(shown, top, &fs.Options{
		EntryTimeout: &brief, NegativeTimeout: &brief, AttrTimeout: &brief,
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "faulty", Name: "faulty", DisableXAttrs: true, MaxWrite: 1 << 20},
	})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("failing calls are not tried this way: mounting is not permitted: %v", err)
	}
	if err != nil {
		t.Fatalf("mount: %v", err)
	}
	done := false
	unmount = func() {
		if done {
			return
		}
		done = true
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
			_ = syscall.Unmount(shown, syscall.MNT_DETACH)
		}
	}
	t.Cleanup(unmount)
	return d, shown, unmount
}

// faultyNode is a file or the folder, with the calls that may fail.
type faultyNode struct {
	fs.LoopbackNode
	disk *faulty
}

func (n *faultyNode) name() string { return n.Path(n.Root()) }

func (n *faultyNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, how, errno := n.LoopbackNode.Open(ctx, flags)
	return unpassed(f), how | keepCache, errno
}

func (n *faultyNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, f, how, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, unpassed(f), how | keepCache, errno
}

// faultyFile is a file whose calls the system does not pass to the file below by itself.
type faultyFile struct{ *fs.LoopbackFile }

func (faultyFile) PassthroughFd() (int, bool) { return 0, false }

func unpassed(f fs.FileHandle) fs.FileHandle {
	if f, ok := f.(*fs.LoopbackFile); ok {
		return faultyFile{f}
	}
	return f
}

func (n *faultyNode) Writev(ctx context.Context, f fs.FileHandle, data [][]byte, at int64) (uint32, syscall.Errno) {
	return n.Write(ctx, f, slices.Concat(data...), at)
}

func (n *faultyNode) Write(ctx context.Context, f fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	if n.disk.strikes(n.name(), "write") {
		if n.disk.fault.errno != 0 {
			return 0, n.disk.fault.errno
		}
		data = data[:len(data)/2]
	}
	return f.(fs.FileWriter).Write(ctx, data, at)
}

func (n *faultyNode) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	if n.disk.strikes(n.name(), "sync") {
		return n.disk.fault.errno
	}
	if f == nil { // the folder: what the system keeps of it is as good as the disk here
		return 0
	}
	errno := f.(fs.FileFsyncer).Fsync(ctx, flags)
	if errno == 0 && n.name() == storeName+"-wal" {
		n.disk.synced()
	}
	return errno
}

func (n *faultyNode) Unlink(ctx context.Context, name string) syscall.Errno {
	if n.disk.strikes(name, "unlink") {
		return n.disk.fault.errno
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *faultyNode) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if n.disk.strikes(name, "rename") {
		return n.disk.fault.errno
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

// mounted runs the crew on a disk that fails, and judges.
func (f *failing) mounted(t *testing.T, fault fault, settler func(eventstore.Store) eventstore.Store) (found, *faulty) {
	t.Helper()
	d, shown, unmount := mountFaulty(t, f.folder, fault)
	if err := f.prepare(shown); err != nil {
		t.Fatal(err)
	}
	c, still := launch(t, "injected", f.work), 20*time.Millisecond
	if f.work.Bad != "" {
		still = 150 * time.Millisecond // for what it should not do
	}
	go func() { // the child is ended once the fault had time to show
		select {
		case <-d.struck:
		case <-time.After(2 * time.Second):
		}
		pause(still)
		c.tell("close")
	}()
	said := listen(c)
	complain(t, c)
	unmount()
	r, err := f.judge(t.Context(), d.failed, said, settler)
	if err != nil {
		t.Fatal(err)
	}
	return r, d
}

// complain fails the test if the child fell over.
func complain(t *testing.T, c *child) {
	t.Helper()
	c.log(t)
	if code := c.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the child ended with code %d", code)
	}
}
