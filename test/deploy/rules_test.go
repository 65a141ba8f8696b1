package deploy

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// kind tells by its image what a service runs: "rolewise", "kurrentdb", "redis" or "es-gencert-cli".
func kind(s types.ServiceConfig) string {
	name, _, _ := strings.Cut(s.Image, ":")
	return name[strings.LastIndex(name, "/")+1:]
}

// once tells whether a service does one thing and ends.
func once(s types.ServiceConfig) bool { return s.Restart == "no" }

var exactVersion = regexp.MustCompile(`^[^:@]+:[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.-]+)?(@sha256:[0-9a-f]{64})?$`)

// state is where each kind keeps what must outlive a container.
var state = map[string]string{"rolewise": "/var/lib/rolewise", "kurrentdb": "/var/lib/kurrentdb", "redis": "/data"}

// faults lists what is wrong with a project as it would run.
func faults(p *types.Project) []string {
	var all []string
	for _, name := range p.ServiceNames() {
		s := p.Services[name]
		for _, rule := range []func(*types.Project, types.ServiceConfig) []string{
			pinned, healthy, confined, durable, kept, local, ordered, reachable,
		} {
			for _, fault := range rule(p, s) {
				all = append(all, name+": "+fault)
			}
		}
	}
	return append(all, apart(p)...)
}

// pinned: what is not built here has an exact version.
func pinned(_ *types.Project, s types.ServiceConfig) []string {
	if s.Build != nil {
		if s.PullPolicy != types.PullPolicyBuild {
			return []string{"is built here, but could be pulled from a registry"}
		}
		return nil
	}
	if !exactVersion.MatchString(s.Image) {
		return []string{"image " + s.Image + " is not pinned to an exact version"}
	}
	return nil
}

// healthy: whatever goes on running says how it does, and starts again.
func healthy(_ *types.Project, s types.ServiceConfig) []string {
	if once(s) {
		return nil
	}
	var all []string
	if h := s.HealthCheck; h == nil || h.Disable || len(h.Test) < 2 || h.Test[0] == "NONE" || h.Interval == nil || h.Timeout == nil || h.Retries == nil {
		all = append(all, "has no health check with interval, timeout and retries")
	}
	if s.Restart != types.RestartPolicyUnlessStopped {
		all = append(all, "is not started again after a crash")
	}
	return all
}

// confined: no root, no rights, nothing of the image can be changed.
func confined(_ *types.Project, s types.ServiceConfig) []string {
	var all []string
	user, _, _ := strings.Cut(s.User, ":")
	if user == "" || user == "root" || user == "0" {
		if kind(s) != "es-gencert-cli" || s.NetworkMode != "none" || !once(s) { // it hands new volumes over
			all = append(all, "runs as root")
		}
	}
	if !s.ReadOnly && (kind(s) != "kurrentdb" || once(s)) { // the vendor does not promise that its server runs so
		all = append(all, "could change its root file system")
	}
	if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
		all = append(all, "keeps capabilities, or can gain some")
	}
	for _, capability := range s.CapAdd {
		if kind(s) != "es-gencert-cli" || capability != "CHOWN" {
			all = append(all, "is given the capability "+capability)
		}
	}
	return all
}

// durable: state lies in a named volume.
func durable(p *types.Project, s types.ServiceConfig) []string {
	folder := state[kind(s)]
	if folder == "" || once(s) {
		return nil
	}
	for _, v := range s.Volumes {
		if _, declared := p.Volumes[v.Source]; v.Target == folder && v.Type == types.VolumeTypeVolume && declared && !v.ReadOnly {
			return nil
		}
	}
	return []string{"keeps no volume at " + folder}
}

// kept: what rolewise is told to write lies where it may write. All its processes share their keys; a copy of the log
// belongs to one process, so that one of several cannot have it in a volume with a name.
func kept(_ *types.Project, s types.ServiceConfig) []string {
	if kind(s) != "rolewise" {
		return nil
	}
	var all []string
	if flagValue(s.Command, "data") != state["rolewise"] {
		all = append(all, "keeps its keys outside "+state["rolewise"])
	}
	if flagValue(s.Command, "role") == "projector" {
		return all
	}
	folder := path.Dir(flagValue(s.Command, "replica"))
	at := slices.IndexFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == folder })
	switch {
	case at < 0:
		all = append(all, "has no volume for its copy of the log at "+folder)
	case s.GetScale() > 1 && s.Volumes[at].Source != "":
		all = append(all, "shares its copy of the log with its replicas")
	}
	return all
}

// local: only this machine reaches a published port, and there is one for each replica.
func local(_ *types.Project, s types.ServiceConfig) []string {
	var all []string
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			all = append(all, fmt.Sprintf("port %s is published on %q", port.Published, port.HostIP))
		}
		first, last := 0, 0
		if n, _ := fmt.Sscanf(port.Published, "%d-%d", &first, &last); n < 2 {
			last = first
		}
		if last-first+1 != s.GetScale() {
			all = append(all, fmt.Sprintf("%d replicas share the ports %s", s.GetScale(), port.Published))
		}
	}
	if s.NetworkMode == "host" {
		all = append(all, "is on the machine's own network")
	}
	return all
}

// ordered: who waits for a service waits for what that one can reach: health, or its end.
func ordered(p *types.Project, s types.ServiceConfig) []string {
	var all []string
	for name, d := range s.DependsOn {
		want := types.ServiceConditionHealthy
		if once(p.Services[name]) {
			want = types.ServiceConditionCompletedSuccessfully
		}
		if d.Condition != want {
			all = append(all, fmt.Sprintf("waits for %s to be %s, should be %s", name, d.Condition, want))
		}
	}
	return all
}

// reachable: the addresses that rolewise is given are services that it waits for, on a network of both.
func reachable(p *types.Project, s types.ServiceConfig) []string {
	if kind(s) != "rolewise" {
		return nil
	}
	var all []string
	awaited := waitsFor(p, s)
	for flag, want := range map[string]string{"eventstore": "kurrentdb", "redis": "redis"} {
		hosts, err := hostsOf(flagValue(s.Command, flag))
		if err != nil || len(hosts) == 0 {
			all = append(all, fmt.Sprintf("--%s names no host: %v", flag, err))
		}
		for _, host := range hosts {
			other, ok := p.Services[host]
			switch {
			case !ok || kind(other) != want:
				all = append(all, fmt.Sprintf("--%s names %s, which is no %s", flag, host, want))
			case !awaited[host]:
				all = append(all, "does not wait for "+host)
			case !slices.ContainsFunc(s.NetworksByPriority(), func(n string) bool { return slices.Contains(other.NetworksByPriority(), n) }):
				all = append(all, "shares no network with "+host)
			}
		}
	}
	return all
}

// waitsFor returns what a service waits for, directly or through others.
func waitsFor(p *types.Project, s types.ServiceConfig) map[string]bool {
	all := map[string]bool{}
	for name := range s.DependsOn {
		all[name] = true
		for further := range waitsFor(p, p.Services[name]) {
			all[further] = true
		}
	}
	return all
}

// apart: no two services write the same volume, but those of rolewise, which share their keys.
func apart(p *types.Project) []string {
	writers := map[string][]string{}
	for _, name := range p.ServiceNames() {
		for _, v := range p.Services[name].Volumes {
			if !v.ReadOnly && kind(p.Services[name]) != "rolewise" {
				writers[v.Source] = append(writers[v.Source], name)
			}
		}
	}
	var all []string
	for volume, names := range writers {
		if len(names) > 1 {
			all = append(all, fmt.Sprintf("volume %s is written by %s", volume, strings.Join(names, ", ")))
		}
	}
	return all
}

// flagValue returns the value of --name=value in a command line.
func flagValue(command []string, name string) string {
	for _, argument := range command {
		if value, ok := strings.CutPrefix(argument, "--"+name+"="); ok {
			return value
		}
	}
	return ""
}

// hostsOf returns the hosts of scheme://user:password@host:port,host:port?settings.
func hostsOf(address string) ([]string, error) {
	_, rest, found := strings.Cut(address, "://")
	if !found {
		return nil, fmt.Errorf("%q is no address", address)
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest = rest[strings.LastIndex(rest, "@")+1:]
	var hosts []string
	for node := range strings.SplitSeq(rest, ",") {
		u, err := url.Parse("//" + node)
		if err != nil || u.Port() == "" {
			return nil, fmt.Errorf("%q has no port", node)
		}
		hosts = append(hosts, u.Hostname())
	}
	return hosts, nil
}
