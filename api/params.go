package api

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"rolewise/domain"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

const (
	defaultLimit = 50
	maxLimit     = 1000 // more is refused, never cut (SPEC API-2)
	maxSearch    = 200  // bytes of a search text
)

// Query parameters, as they are documented.
var (
	limitParam = parameter("limit", "Most items of a page.", huma.Schema{
		Type: huma.TypeInteger, Default: defaultLimit, Minimum: float(1), Maximum: float(maxLimit),
	})
	cursorParam   = parameter("cursor", "Where the page before ended: its next.", huma.Schema{Type: huma.TypeString})
	positionParam = parameter("min_position", "Answer only once the read model has reached this position, as a command or an earlier answer gave it. "+
		"After a bounded wait: 503.",
		huma.Schema{Type: huma.TypeString})
	afterParam = parameter("after", "Position after which to begin; left out: from the first event.",
		huma.Schema{Type: huma.TypeString})
	stateParam = parameter("state", "draft: never published, and the caller's own, or under the policy role_editing also those that an admin may edit. "+
		"beta: published, with a required skill in beta. deleted: what the caller may restore. Left out: published ones and such drafts.",
		huma.Schema{Type: huma.TypeString, Enum: []any{"draft", "published", "beta", "deleted"}})
	onPublishParam = parameter("on_publish", "As of publish-role; left out: re_evaluate.",
		huma.Schema{Type: huma.TypeString, Enum: []any{"re_evaluate", "grandfather"}})
	memberStateParam = parameter("state", "Only members of this state; left out: all but those removed. Removed members are for owners and admins.",
		huma.Schema{Type: huma.TypeString, Enum: []any{readmodels.Invited, readmodels.Active, readmodels.Deactivated, readmodels.Removed, readmodels.AllMembers}})
	teamParam   = parameter("team", "Only members of this team.", huma.Schema{Type: huma.TypeString})
	nestedParam = parameter("nested", "Also those of the teams below.", huma.Schema{Type: huma.TypeBoolean, Default: false})
	parentParam = parameter("parent", "Only teams right below this one; \"top\": only those below none.", huma.Schema{Type: huma.TypeString})
	searchParam = parameter("q", "Words of which each must begin a word of the item; case and accents do not count.",
		huma.Schema{Type: huma.TypeString, MaxLength: integer(maxSearch)})
	formatParam = parameter("format", "Goes before the header Accept. As csv the report is complete, not a page.",
		huma.Schema{Type: huma.TypeString, Enum: []any{"json", "csv"}})
	rowsParam = parameter("rows", "Of the csv: one row for each member, or one for each skill of each member.",
		huma.Schema{Type: huma.TypeString, Enum: []any{"members", "skills"}, Default: "members"})
	dryRunParam = parameter("dry_run", "Decide, but append nothing.",
		huma.Schema{Type: huma.TypeBoolean, Default: false})
)

func parameter(name, doc string, schema huma.Schema) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: doc, Schema: &schema}
}

func float(f float64) *float64 { return &f }
func integer(i int) *int       { return &i }

// params reads the query of a request. What is wrong is noted, so that all of it is named at once.
type params struct {
	values url.Values
	faults []Fault
}

// readParams takes a query that has only the permitted parameters, each at most once.
func readParams(raw string, permitted []*huma.Param) (params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return params{}, refuse(http.StatusBadRequest, "malformed_query", "the query is not well-formed: check its % escapes and separators")
	}
	p := params{values: values}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		known := slices.ContainsFunc(permitted, func(one *huma.Param) bool { return one.Name == name })
		switch {
		case !known:
			p.wrong(strings.ToValidUTF8(name, "\ufffd"), "unknown_parameter", "there is no such parameter here")
		case len(values[name]) > 1:
			p.wrong(name, "duplicate_parameter", "must be given once")
		}
	}
	return p, p.err()
}

func (p *params) wrong(name, code, detail string) {
	p.faults = append(p.faults, Fault{Parameter: name, Code: code, Detail: detail})
}

func (p *params) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	return wrong(p.faults)
}

func (p *params) limit() int {
	if !p.values.Has("limit") {
		return defaultLimit
	}
	n, err := strconv.Atoi(p.values.Get("limit"))
	if err != nil || n < 1 || n > maxLimit || strconv.Itoa(n) != p.values.Get("limit") {
		p.wrong("limit", "invalid_limit", "must be 1 to "+strconv.Itoa(maxLimit))
		return defaultLimit
	}
	return n
}

func (p *params) position(name string) eventstore.Position {
	if !p.values.Has(name) {
		return 0
	}
	at, err := eventstore.ParsePosition(p.values.Get(name))
	if err != nil {
		p.wrong(name, "invalid_position", "must be a position as an earlier answer gave it")
	}
	return at
}

// oneOf returns "" if the parameter was left out.
func (p *params) oneOf(param *huma.Param) string {
	value := p.values.Get(param.Name)
	if p.values.Has(param.Name) && !slices.Contains(param.Schema.Enum, any(value)) {
		p.wrong(param.Name, "invalid_value", "must be one of the documented values")
		return ""
	}
	return value
}

func (p *params) flag(name string) bool {
	switch value := p.values.Get(name); {
	case value == "true":
		return true
	case value == "false", !p.values.Has(name):
	default:
		p.wrong(name, "invalid_value", "must be true or false")
	}
	return false
}

// id returns "" if the parameter was left out. What cannot be an id is named, except where it is a word permitted.
func (p *params) id(name string, permitted ...string) string {
	value := p.values.Get(name)
	if p.values.Has(name) && !slices.Contains(permitted, value) && domain.CheckID("", domain.TeamID(value)) != nil {
		p.wrong(name, "invalid_id", "must be an id")
		return ""
	}
	return value
}

func (p *params) search() string {
	text := p.values.Get("q")
	if len(text) > maxSearch || !utf8.ValidString(text) {
		p.wrong("q", "invalid_text", "must be text of at most "+strconv.Itoa(maxSearch)+" bytes")
		return ""
	}
	return text
}

// page reads what part of a list is wanted. The filters are part of what a cursor belongs to.
func (c *call) page(filters ...string) readmodels.Want {
	c.binding = strings.Join(append([]string{c.gin.Request.URL.Path}, filters...), "\x00")
	want := readmodels.Want{Min: c.min, Limit: c.params.limit()}
	if c.params.values.Has("cursor") {
		entry, ok := openCursor(c.binding, c.params.values.Get("cursor"))
		if !ok {
			c.params.wrong("cursor", "invalid_cursor", "must be the next of an earlier page of the same list, with the same filters")
		}
		want.After = entry
	}
	return want
}

// cursor seals where a page ended; nil at the end of the list.
func (c *call) cursor(entry string) *string {
	if entry == "" {
		return nil
	}
	sealed := sealCursor(c.binding, entry)
	return &sealed
}

// sumLength is how many bytes bind a cursor to its list. It guards against mistakes; a forged cursor would only begin
// elsewhere in the same list.
const sumLength = 9

func sealCursor(binding, entry string) string {
	return base64.RawURLEncoding.EncodeToString(append(cursorSum(binding, entry), entry...))
}

func openCursor(binding, sealed string) (entry string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) <= sumLength {
		return "", false
	}
	entry = string(raw[sumLength:])
	return entry, string(raw[:sumLength]) == string(cursorSum(binding, entry))
}

func cursorSum(binding, entry string) []byte {
	sum := sha256.Sum256([]byte(strconv.Itoa(len(binding)) + ":" + binding + entry))
	return sum[:sumLength]
}
