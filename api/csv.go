package api

import (
	"context"
	"encoding/csv"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2/negotiation"

	"rolewise/readmodels"
)

// sheet is a report as CSV.
type sheet struct {
	name   string // of the file, after that of the plan
	header []string
	page   func(context.Context, readmodels.Want) (rows [][]string, next string, at readmodels.Checkpoint, err error)
}

// sheetPage is how many items are in memory at a time.
const sheetPage = 500

func (c *call) wantsCSV() bool {
	c.gin.Writer.Header().Add("Vary", "Accept")
	switch c.params.oneOf(formatParam) {
	case "csv":
		return true
	case "json":
		return false
	}
	return negotiation.SelectQValue(c.gin.GetHeader("Accept"), []string{"application/json", "text/csv"}) == "text/csv"
}

// stream sends a whole report page by page (SPEC ANA-8). Its headers tell how new the first page is; later ones are at
// least as new. An answer that cannot be finished is broken off, so that nobody takes it for the whole.
func (s *server) stream(c *call, open func(*call) (*sheet, error)) error {
	for _, param := range pageParams {
		if c.params.values.Has(param.Name) {
			c.params.wrong(param.Name, "not_in_csv", "the CSV is the whole report: it has no pages")
		}
	}
	sheet, err := open(c)
	if err != nil {
		return err
	}
	want := readmodels.Want{Min: c.min, Limit: sheetPage}
	rows, next, at, err := sheet.page(c.ctx, want)
	if err != nil {
		return c.notYet(err)
	}
	fresh, err := s.freshness(c.ctx, string(c.plan), at, c.head)
	if err != nil {
		return err
	}
	c.freshHeaders(fresh)
	header := c.gin.Writer.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	header.Set("Content-Disposition", `attachment; filename="`+string(c.plan)+"-"+sheet.name+`.csv"`)
	c.gin.Status(http.StatusOK)
	w := csv.NewWriter(c.gin.Writer)
	w.UseCRLF = true
	err = w.Write(sheet.header)
	ctx := c.gin.Request.Context() // the bound on the wait for min_position is not one on the whole stream
	for err == nil {
		if err = s.send(ctx, c, w, rows); err != nil || next == "" {
			break
		}
		rows, next, _, err = sheet.page(ctx, readmodels.Want{After: next, Limit: sheetPage})
	}
	if err != nil {
		if ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "report broken off", "request_id", c.id, "route", c.gin.FullPath(), "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// send writes one page and gives the next one the time that an answer may take.
func (s *server) send(ctx context.Context, c *call, w *csv.Writer, rows [][]string) error {
	for _, row := range rows {
		for i, text := range row {
			row[i] = safeCell(text)
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	c.gin.Writer.Flush()
	// Where the connection has no deadlines, as in a test without one, the server sets none either.
	_ = http.NewResponseController(c.gin.Writer).SetWriteDeadline(time.Now().Add(writeTimeout))
	return ctx.Err()
}

// safeCell keeps a spreadsheet from taking a text for a formula.
func safeCell(text string) string {
	if text != "" {
		switch text[0] {
		case '=', '+', '-', '@', '\t', '\r':
			return "'" + text
		}
	}
	return text
}
