package kurrent

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/metadata"
)

// address is a connection string, understood.
type address struct {
	config  esdb.Configuration
	name    string      // host:port, or several, for sentences
	headers metadata.MD // what the client forgets to send
}

// parse reads a connection string. What it says of a wrong one never quotes more than the scheme, the name of a setting
// or the path of a file, since a piece of a password can stand anywhere.
func parse(text string) (*address, error) {
	text, query, err := split(text)
	if err != nil {
		return nil, err
	}
	settings, err := readSettings(query)
	if err != nil {
		return nil, err
	}
	if encoded := settings.Encode(); encoded != "" {
		text += "?" + encoded
	}
	config, err := esdb.ParseConnectionString(text)
	if err != nil {
		return nil, errors.New("the event store address cannot be read: write it as esdb://user:password@host:2113?tls=true, " +
			"with the special characters of user and password percent-encoded")
	}
	a := &address{config: *config, headers: metadata.MD{"requires-leader": {"true"}}}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}

// split replaces the scheme by the one that the client knows and takes the settings off.
func split(text string) (rest, query string, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !simple.MatchString(scheme) {
		return "", "", errors.New("the event store address must begin with esdb:// or kurrentdb://")
	}
	switch strings.ToLower(scheme) {
	case "esdb", "kurrentdb":
		scheme = "esdb"
	case "esdb+discover", "kurrentdb+discover":
		scheme = "esdb+discover"
	default:
		return "", "", fmt.Errorf("the event store address begins with %.20q: use esdb:// or kurrentdb://, or esdb+discover:// for a cluster", scheme+"://")
	}
	rest, query, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest, query, nil
}

// simple is what schemes and names of settings look like; anything else may be a piece of a password.
var simple = regexp.MustCompile(`^[A-Za-z][A-Za-z+]{0,39}$`)

// readSettings refuses what the client would ignore or understand wrongly.
func readSettings(query string) (url.Values, error) {
	given, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the settings after ? in the event store address cannot be read: write name=value&name=value")
	}
	settings := url.Values{}
	for name, values := range given {
		key := strings.ToLower(name)
		check, known := checks[key]
		if !known && (strings.Contains(query, "@") || !simple.MatchString(name)) {
			return nil, errors.New("the settings after ? in the event store address cannot be read: check their spelling, and percent-encode the special characters of user and password")
		}
		if len(values) > 1 || settings.Has(key) {
			return nil, fmt.Errorf("the setting %q is given twice in the event store address: give it once", name)
		}
		if !known {
			return nil, fmt.Errorf("the setting %.40q in the event store address is unknown: check its spelling", name)
		}
		if err := check(values[0]); err != nil {
			return nil, fmt.Errorf("the setting %q in the event store address %w", name, err)
		}
		if key != "connectionname" { // known to other clients
			settings.Set(key, values[0])
		}
	}
	if settings.Has("usercertfile") != settings.Has("userkeyfile") {
		return nil, errors.New("userCertFile and userKeyFile in the event store address belong together: give both")
	}
	if settings.Has("usercertfile") {
		if _, err := tls.LoadX509KeyPair(settings.Get("usercertfile"), settings.Get("userkeyfile")); err != nil {
			return nil, fmt.Errorf("userCertFile and userKeyFile in the event store address cannot be used: give a certificate and its key in PEM: %w", err)
		}
	}
	return settings, nil
}

// checks are the settings of a connection string, in lower case.
var checks = map[string]func(string) error{
	"connectionname":      func(string) error { return nil },
	"defaultdeadline":     number(1, 1<<31, "milliseconds"),
	"discoveryinterval":   number(0, 1<<31, "milliseconds"),
	"gossiptimeout":       number(1, 600, "seconds"),
	"keepaliveinterval":   number(10_000, 1<<31, "milliseconds"), // servers hang up on more, and less finds no dead connection
	"keepalivetimeout":    number(1, 1<<31, "milliseconds"),
	"maxdiscoverattempts": number(1, 1<<31, "attempts"),
	"nodepreference":      leader,
	"tls":                 boolean,
	"tlscafile":           authorities,
	"tlsverifycert":       boolean,
	"usercertfile":        readable,
	"userkeyfile":         readable,
}

func number(least, most int64, unit string) func(string) error {
	return func(value string) error {
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < least || n > most {
			return fmt.Errorf("must be a number of %s from %d on", unit, least)
		}
		return nil
	}
}

func leader(value string) error {
	if !strings.EqualFold(value, "leader") {
		return errors.New("must be leader: other nodes may lag behind what was appended")
	}
	return nil
}

func boolean(value string) error {
	if _, err := strconv.ParseBool(strings.ToLower(value)); err != nil {
		return errors.New("must be true or false")
	}
	return nil
}

func readable(path string) error {
	if _, err := os.ReadFile(path); err != nil {
		return fmt.Errorf("names a file that cannot be read: check the path and its permissions: %w", err)
	}
	return nil
}

func authorities(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("names a file that cannot be read: check the path and its permissions: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return fmt.Errorf("names the file %s, which holds no certificate: give a CA certificate in PEM", path)
	}
	return nil
}

// check refuses combinations that would fail silently, and completes what the client leaves out.
func (a *address) check() error {
	c := &a.config
	switch {
	case c.Username != "" && c.Password == "":
		return errors.New("the event store address has a user without a password: write user:password@")
	case c.DisableTLS && c.UserCertFile != "":
		return errors.New("the event store address has a user certificate and tls=false: user certificates need TLS")
	}
	hosts := []string{c.Address}
	if len(c.GossipSeeds) > 0 {
		hosts = hosts[:0]
		for _, seed := range c.GossipSeeds {
			hosts = append(hosts, seed.String())
		}
	}
	for _, host := range hosts {
		if strings.HasSuffix(host, ":0") || strings.HasPrefix(host, ":") {
			return errors.New("the event store address needs a host, and a port between 1 and 65535")
		}
	}
	a.name = strings.Join(hosts, ",")
	if c.Username != "" && c.DisableTLS {
		a.headers.Set("authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password)))
	}
	if c.DefaultDeadline == nil {
		c.DefaultDeadline = new(time.Duration)
		*c.DefaultDeadline = 10 * time.Second
	}
	// One attempt: the store decides about the next one, and nobody waits inside the client.
	c.MaxDiscoverAttempts = 1
	c.DiscoveryInterval = 0
	return nil
}
