package durability

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// mount makes a disk a folder of the system. Where that is not possible the test is skipped, with the reason.
//
// Only other processes may use the folder: were it mapped into the memory of this one, all its threads could end up
// waiting for a page that only this process can deliver.
func mount(t *testing.T, d *disk) (folder string, unmount func()) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("power loss is not tried: %v", err)
	}
	folder = t.TempDir()
	brief := time.Duration(0)
	server, err := fs.Mount(folder, &fuseFolder{disk: d}, &fs.Options{
		EntryTimeout: &brief, NegativeTimeout: &brief, AttrTimeout: &brief,
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "disk", Name: "disk", DisableXAttrs: true, MaxWrite: 1 << 20},
	})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("power loss is not tried: mounting is not permitted: %v", err)
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
			_ = syscall.Unmount(folder, syscall.MNT_DETACH)
		}
	}
	t.Cleanup(unmount)
	return folder, unmount
}

// fuseFolder is a disk as FUSE wants it.
type fuseFolder struct {
	fs.Inode
	disk *disk
}

type fuseFile struct {
	fs.Inode
	disk *disk
	file *file
}

// keepCache makes the system hold on to pages over openings, as for a disk of its own. Files can be mapped, as SQLite
// does with its -shm, since the cache is not passed by.
const keepCache = fuse.FOPEN_KEEP_CACHE

func (n *fuseFolder) node(ctx context.Context, f *file, out *fuse.EntryOut) *fs.Inode {
	out.Attr.Mode, out.Attr.Size = 0o600, uint64(n.disk.size(f))
	return n.NewInode(ctx, &fuseFile{disk: n.disk, file: f}, fs.StableAttr{Mode: syscall.S_IFREG, Ino: f.number})
}

func (n *fuseFolder) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = 0o700
	return 0
}

func (n *fuseFolder) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f, ok := n.disk.lookup(name)
	if !ok {
		return nil, syscall.ENOENT
	}
	return n.node(ctx, f, out), 0
}

func (n *fuseFolder) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	f, errno := n.disk.create(name)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return n.node(ctx, f, out), nil, keepCache, 0
}

func (n *fuseFolder) Unlink(_ context.Context, name string) syscall.Errno {
	return n.disk.rename(map[string]*file{name: nil})
}

func (n *fuseFolder) Rename(_ context.Context, name string, _ fs.InodeEmbedder, to string, flags uint32) syscall.Errno {
	f, ok := n.disk.lookup(name)
	switch {
	case !ok:
		return syscall.ENOENT
	case flags != 0:
		return syscall.EINVAL
	}
	return n.disk.rename(map[string]*file{name: nil, to: f})
}

func (n *fuseFolder) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	var list []fuse.DirEntry
	for name, f := range n.disk.live {
		list = append(list, fuse.DirEntry{Name: name, Mode: syscall.S_IFREG, Ino: f.number})
	}
	return fs.NewListDirStream(list), 0
}

func (n *fuseFolder) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.disk.syncNames()
}

func (n *fuseFile) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o600, uint64(n.disk.size(n.file))
	return 0
}

func (n *fuseFile) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := n.disk.truncate(n.file, int(size)); errno != 0 {
			return errno
		}
	}
	return n.Getattr(ctx, h, out)
}

func (n *fuseFile) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_TRUNC != 0 {
		if errno := n.disk.truncate(n.file, 0); errno != 0 {
			return nil, 0, errno
		}
	}
	return nil, keepCache, 0
}

func (n *fuseFile) Read(_ context.Context, _ fs.FileHandle, buffer []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	return fuse.ReadResultData(buffer[:n.disk.read(n.file, buffer, int(at))]), 0
}

func (n *fuseFile) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	if errno := n.disk.write(n.file, data, int(at)); errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

func (n *fuseFile) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.disk.sync(n.file)
}

func (n *fuseFile) Flush(context.Context, fs.FileHandle) syscall.Errno { return 0 }

// Modes of fallocate beside the plain one.
const (
	keepSize  = 1
	zeroRange = 16
)

// Allocate makes a file longer. Zeros that are not written yet are as good as written ones here.
func (n *fuseFile) Allocate(_ context.Context, _ fs.FileHandle, at, size uint64, mode uint32) syscall.Errno {
	end := int(at + size)
	switch {
	case mode&zeroRange != 0:
		return n.disk.write(n.file, []byte(strings.Repeat("\x00", int(size))), int(at))
	case mode&^keepSize != 0:
		return syscall.EOPNOTSUPP
	case mode&keepSize != 0 || end <= n.disk.size(n.file):
		return 0
	}
	return n.disk.truncate(n.file, end)
}
