package redistest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Proxy stands between clients and a server and makes the network between them bad.
type Proxy struct {
	URL string // redis://127.0.0.1:port

	proxy *toxiproxy.Proxy
}

// StartProxy runs a proxy in front of a server for the length of a test.
func StartProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "redis", "127.0.0.1:0", s.Addr())
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return &Proxy{URL: "redis://" + proxy.Listen, proxy: proxy}
}

// Delay lets every answer come so much later.
func (p *Proxy) Delay(by time.Duration) error {
	return p.add(fmt.Sprintf(`{"name":"delay","type":"latency","stream":"downstream","attributes":{"latency":%d}}`, by.Milliseconds()))
}

// Part loses whatever is sent, in both directions, while connections seem to be there.
func (p *Proxy) Part() error {
	for _, stream := range []string{"upstream", "downstream"} {
		if err := p.add(fmt.Sprintf(`{"name":"part-%s","type":"timeout","stream":"%s","attributes":{"timeout":0}}`, stream, stream)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Proxy) add(toxic string) error {
	_, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	return err
}

// Mend ends what Delay and Part began. Connections that were parted are closed.
func (p *Proxy) Mend(ctx context.Context) { p.proxy.Toxics.ResetToxics(ctx) }
