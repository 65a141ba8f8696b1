package redistest

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// StartSlicer runs a proxy in front of a server for the length of a test and returns its URL. Every answer comes late
// and in pieces of at most so many bytes, one after the other. Unlike a Proxy it leaves nothing behind, however many
// connections there have been.
func StartSlicer(t testing.TB, s *Server, most int, late time.Duration) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &slicer{to: s.Addr(), most: most, late: late}
	p.running.Go(func() { p.accept(listener) })
	t.Cleanup(func() {
		_ = listener.Close()
		p.closeAll()
		p.running.Wait()
	})
	return "redis://" + listener.Addr().String()
}

type slicer struct {
	to      string
	most    int
	late    time.Duration
	running sync.WaitGroup

	mu   sync.Mutex
	open []net.Conn
}

func (p *slicer) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, client, server)
		p.mu.Unlock()
		p.running.Go(func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		})
		p.running.Go(func() {
			p.slice(client, server)
			_, _ = client.Close(), server.Close()
		})
	}
}

func (p *slicer) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close()
	}
}

// slice passes on answers until one side is gone.
func (p *slicer) slice(client io.Writer, server io.Reader) {
	answer := make([]byte, 16<<10)
	for {
		n, err := server.Read(answer)
		rest := answer[:n]
		for len(rest) > 0 {
			time.Sleep(rand.N(p.late))
			piece := min(len(rest), 1+rand.IntN(p.most))
			if _, err := client.Write(rest[:piece]); err != nil {
				return
			}
			rest = rest[piece:]
		}
		if err != nil {
			return
		}
	}
}
