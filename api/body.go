package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// maxBody bounds a request's body, in bytes (SPEC API-4).
const maxBody = 1 << 20

// buffers are reused, unless a body has made them large.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keptBuffer = 64 << 10

// withBody reads the body, which must be JSON, and hands it to read. The bytes are valid until read returns.
func (c *call) withBody(read func([]byte) error) error {
	r := c.gin.Request
	if !isJSON(r.Header) {
		return refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "the body must be sent as application/json, in UTF-8 and without Content-Encoding")
	}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "too_large", "the body must not exceed 1 MiB")
	if r.ContentLength > maxBody {
		return tooLarge
	}
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	defer func() {
		if b.Cap() <= keptBuffer {
			buffers.Put(b)
		}
	}()
	_, err := io.Copy(b, http.MaxBytesReader(c.gin.Writer, r.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge
	case err != nil:
		return refuse(http.StatusBadRequest, "incomplete_body", "the body did not arrive whole")
	}
	return read(b.Bytes())
}

func isJSON(header http.Header) bool {
	if len(header.Values("Content-Type")) != 1 || header.Get("Content-Encoding") != "" {
		return false
	}
	media, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return false
	}
	charset, given := parameters["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}
