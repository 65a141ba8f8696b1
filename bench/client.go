package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
)

// client is one HTTP connection that is kept. It writes requests that were made before and reads answers in the
// goroutine of its caller, so that the load takes as little as it can of the cores that the server needs.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	free   func() bool
}

// dial connects; the end of the context breaks the connection.
func dial(ctx context.Context, address string) (*client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	free := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &client{conn, bufio.NewReader(conn), free}, nil
}

func (c *client) do(request []byte) (status int, body []byte, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

func (c *client) close() {
	c.free()
	_ = c.conn.Close() // nothing is on its way any more
}

// command takes the next command of a plan's load and writes its request.
func (p *planLoad) command() ([]byte, error) {
	_, command := p.source.Next()
	body, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/v1/plans/%s/commands/%s", p.id, command.About().Name)
	return p.request(http.MethodPost, path, body), nil
}

func (p *planLoad) request(method, path string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n", method, path, p.key)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// prepare makes requests for several clients, who share the plans among them.
func (h *history) prepare(clients, total int) ([][][]byte, error) {
	requests := make([][][]byte, clients)
	for i := range total {
		c := i % clients
		request, err := h.plans[c%len(h.plans)].command()
		if err != nil {
			return nil, err
		}
		requests[c] = append(requests[c], request)
	}
	return requests, nil
}

// outcome is what became of a load.
type outcome struct {
	took     []time.Duration
	refused  int
	refusal  string // the first
	position eventstore.Position
}

// send gives each client its requests, one after the other, and returns what became of all of them.
func send(ctx context.Context, address string, requests [][][]byte) (all outcome, took time.Duration, err error) {
	group, ctx := errgroup.WithContext(ctx)
	outcomes := make([]outcome, len(requests))
	clients := make([]*client, len(requests))
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.close()
			}
		}
	}()
	for i := range requests {
		if clients[i], err = dial(ctx, address); err != nil {
			return all, 0, err
		}
	}
	start := time.Now()
	for i, own := range requests {
		group.Go(func() error { return outcomes[i].send(ctx, clients[i], own) })
	}
	err = group.Wait()
	took = time.Since(start)
	for _, o := range outcomes {
		all.took = append(all.took, o.took...)
		all.refused += o.refused
		all.position = max(all.position, o.position)
		if all.refusal == "" {
			all.refusal = o.refusal
		}
	}
	return all, took, err
}

func (o *outcome) send(ctx context.Context, c *client, requests [][]byte) error {
	for _, request := range requests {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		status, body, err := c.do(request)
		if err != nil {
			return err
		}
		o.took = append(o.took, time.Since(start))
		if status != http.StatusOK {
			o.refused++
			o.refusal = fmt.Sprintf("%d: %s", status, body)
			continue
		}
		o.position = max(o.position, positionIn(body))
	}
	return nil
}

// positionIn finds the position in an answer, 0 if there is none.
func positionIn(body []byte) eventstore.Position {
	_, rest, _ := bytes.Cut(body, []byte(`"position":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	position, _ := eventstore.ParsePosition(string(text))
	return position
}
