package deploy

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// variables are what an operator puts into .env.
var variables = regexp.MustCompile(`\$\{([A-Z_]+):\?`)

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// load reads and validates a project as docker compose would, with exactly these settings.
func load(t *testing.T, content string, env []string) (*types.Project, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "docker-compose.yml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

// environment has a value for each variable of a file.
func environment(content string) []string {
	var env []string
	for _, found := range variables.FindAllStringSubmatch(content, -1) {
		if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, found[1]+"=") }) {
			env = append(env, found[1]+"="+strings.Repeat("x", 32))
		}
	}
	return env
}

func mustLoad(t *testing.T, name string) (content string, p *types.Project) {
	t.Helper()
	content = read(t, name)
	p, err := load(t, content, environment(content))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return content, p
}

func TestCompose(t *testing.T) {
	for _, file := range files {
		t.Run(file.name, func(t *testing.T) {
			content, p := mustLoad(t, file.name)
			for _, fault := range faults(p) {
				t.Error(fault)
			}
			count := map[string]int{}
			for name, s := range p.Services {
				switch {
				case once(s):
				case kind(s) == "rolewise":
					count[flagValue(s.Command, "role")] += s.GetScale()
				case kind(s) == "kurrentdb":
					count["kurrentdb"]++
					_, insecure := s.Environment["KURRENTDB_INSECURE"]
					if secure := s.Environment["KURRENTDB_CERTIFICATE_FILE"] != nil; secure != file.tls || insecure == file.tls {
						t.Errorf("%s: TLS %v, insecure %v", name, secure, insecure)
					}
				default:
					count[kind(s)]++
				}
			}
			want := map[string]int{"kurrentdb": file.kurrentdb, "redis": file.redis, "api": file.api, "projector": file.projector}
			if !maps.Equal(count, want) {
				t.Errorf("starts %v, want %v", count, want)
			}
			for _, setting := range environment(content) {
				name, _, _ := strings.Cut(setting, "=")
				without := slices.DeleteFunc(environment(content), func(e string) bool { return e == setting })
				if _, err := load(t, content, without); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("without %s: %v", name, err)
				}
			}
		})
	}
}

// TestNoSecrets looks at the files as they are written: whatever is secret must come from the environment.
func TestNoSecrets(t *testing.T) {
	for _, file := range files {
		for _, fault := range secrets(read(t, file.name)) {
			t.Errorf("%s: %s", file.name, fault)
		}
	}
	for _, ignored := range []string{".gitignore", ".dockerignore"} {
		if !regexp.MustCompile(`(?m)^/?\.env$`).MatchString(read(t, ignored)) {
			t.Errorf("%s does not leave .env out", ignored)
		}
	}
	for _, bad := range []string{
		"KURRENTDB_DEFAULT_OPS_PASSWORD: changeit", `ROLEWISE_OPERATOR_KEY: "0123"`, "- ROLEWISE_OPERATOR_KEY=0123",
		"--eventstore=esdb://rolewise:changeit@kurrentdb1:2113", "TOKEN: ${TOKEN:-changeit}", "SOME_SECRET: ${SOME_SECRET}",
	} {
		if len(secrets(bad)) != 1 {
			t.Errorf("%s is not noticed", bad)
		}
	}
}

var (
	secretSetting = regexp.MustCompile(`(?i)([A-Z_]*(?:PASSWORD|SECRET|TOKEN|LICENSE_KEY|OPERATOR_KEY))["']?(?:: |=)(\S+)`)
	secretUser    = regexp.MustCompile(`://[^\s:@/]+:([^\s@]+)@`)
	fromOutside   = regexp.MustCompile(`^\$\{[A-Z_]+:\?`)
)

func secrets(content string) []string {
	var all []string
	for line := range strings.Lines(content) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, found := range secretSetting.FindAllStringSubmatch(line, -1) {
			if !fromOutside.MatchString(found[2]) {
				all = append(all, "a secret is written out: "+found[1])
			}
		}
		// The text of a variable may contain spaces; its first word is enough.
		for _, found := range secretUser.FindAllStringSubmatch(strings.ReplaceAll(line, " ", "_"), -1) {
			if !fromOutside.MatchString(found[1]) {
				all = append(all, "a password is written out in an address")
			}
		}
	}
	return all
}

// TestCommandLines has the program itself read each command line that a file gives it.
func TestCommandLines(t *testing.T) {
	for _, file := range files {
		_, p := mustLoad(t, file.name)
		for _, name := range p.ServiceNames() {
			s := p.Services[name]
			if kind(s) != "rolewise" {
				continue
			}
			t.Run(file.name+" "+name, func(t *testing.T) {
				if s.HealthCheck.Test[0] != "CMD" || s.HealthCheck.Test[1] != "/rolewise" || s.HealthCheck.Test[2] != "healthcheck" {
					t.Errorf("health is asked by %q; the image has nothing but the program", s.HealthCheck.Test)
				}
				understood(t, s.Command)
				understood(t, s.HealthCheck.Test[2:])
				_, port, _ := strings.Cut(flagValue(s.Command, "admin-listen"), ":")
				if want := "http://127.0.0.1:" + port; flagValue(s.HealthCheck.Test, "admin") != want {
					t.Errorf("health is asked at %q, the process answers at %s", s.HealthCheck.Test, want)
				}
				if s.Command[0] != "serve" || len(s.Entrypoint) > 0 {
					t.Errorf("runs %q %q", s.Entrypoint, s.Command)
				}
				if _, has := s.Environment["ROLEWISE_OPERATOR_KEY"]; has != (flagValue(s.Command, "role") == "api") {
					t.Errorf("operator's key: %v; the API needs it, nobody else", has)
				}
			})
		}
	}
}

// understood runs a command line up to the point where it would begin to work.
func understood(t *testing.T, command []string) {
	t.Helper()
	for _, argument := range command[1:] {
		if !strings.HasPrefix(argument, "--") || !strings.Contains(argument, "=") {
			t.Errorf("%q is not --flag=value", argument)
		}
	}
	if code, said := ask(t, append(slices.Clone(command), "--help")...); code != 0 {
		t.Errorf("%q: %s", command, said)
	}
}

func ask(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, args...)
	out, err := command.CombinedOutput()
	if command.ProcessState == nil {
		t.Fatalf("run the program: %v", err)
	}
	return command.ProcessState.ExitCode(), string(out)
}

func TestCommandLinesAreRead(t *testing.T) {
	for _, bad := range [][]string{{"serve", "--rolle=api"}, {"serve", "--role=reader"}, {"server"}, {"healthcheck", "--url=x"}} {
		if code, said := ask(t, append(bad, "--help")...); code == 0 {
			t.Errorf("%q is taken: %s", bad, said)
		}
	}
}

// TestCluster checks what only the files' text knows: who gossips with whom, and which nodes form the Redis cluster.
func TestCluster(t *testing.T) {
	_, p := mustLoad(t, "docker-compose.cluster.yml")
	nodes := []string{"kurrentdb1", "kurrentdb2", "kurrentdb3"}
	issued := strings.Join(p.Services["certificates"].Command, " ")
	for i, name := range nodes {
		s := p.Services[name]
		others := slices.Delete(slices.Clone(nodes), i, i+1)
		if want := others[0] + ":2113," + others[1] + ":2113"; *s.Environment["KURRENTDB_GOSSIP_SEED"] != want {
			t.Errorf("%s gossips with %s, want %s", name, *s.Environment["KURRENTDB_GOSSIP_SEED"], want)
		}
		for _, setting := range []string{"KURRENTDB_NODE_HOST_ADVERTISE_AS", "KURRENTDB_REPLICATION_HOST_ADVERTISE_AS"} {
			if *s.Environment[setting] != name {
				t.Errorf("%s is known as %s", name, *s.Environment[setting])
			}
		}
		if *s.Environment["KURRENTDB_CLUSTER_SIZE"] != fmt.Sprint(len(nodes)) {
			t.Errorf("%s waits for %s nodes", name, *s.Environment["KURRENTDB_CLUSTER_SIZE"])
		}
		for _, v := range s.Volumes {
			if v.Source == "authority-private" || strings.HasSuffix(v.Source, "-certificates") && v.Source != name+"-certificates" {
				t.Errorf("%s sees %s", name, v.Source)
			}
		}
	}
	if !strings.Contains(issued, `-dns-names "kurrentdb$node,localhost"`) || !strings.Contains(issued, "for node in 1 2 3;") {
		t.Errorf("certificates are issued otherwise:\n%s", issued)
	}
	var addresses []string
	for i := range 6 {
		s := p.Services[fmt.Sprintf("redis%d", i+1)]
		addresses = append(addresses, s.Networks["stores"].Ipv4Address+":6379")
		if !slices.Contains(s.Command, "--cluster-enabled") || len(s.Networks) != 1 {
			t.Errorf("%s is no node of a cluster, or on another network", s.Name)
		}
	}
	if joined := strings.Join(p.Services["redis-cluster"].Command, " "); !strings.Contains(joined, `nodes="`+strings.Join(addresses, " ")+`"`) {
		t.Errorf("the cluster is formed of others than %v", addresses)
	}
	if !p.Networks["stores"].Internal {
		t.Error("the stores can be reached from outside")
	}
}

// TestRulesBite breaks each file in one place after the other.
func TestRulesBite(t *testing.T) {
	for _, tt := range []struct{ name, file, old, new, fault string }{
		{"no version", "docker-compose.yml", "redis:7.2.11", "redis", "not pinned"},
		{"latest", "docker-compose.yml", "redis:7.2.11", "redis:latest", "not pinned"},
		{"part of a version", "docker-compose.yml", "kurrentdb:25.1.0", "kurrentdb:25.1", "not pinned"},
		{"pulled", "docker-compose.yml", "pull_policy: build", "pull_policy: always", "could be pulled"},
		{"no health check", "docker-compose.yml", `test: ["CMD", "redis-cli", "-e", "ping"]`, "disable: true", "no health check"},
		{"no restart", "docker-compose.yml", "restart: unless-stopped", "restart: on-failure", "not started again"},
		{"root", "docker-compose.yml", `"65532:65532"`, `"0:0"`, "runs as root"},
		{"user of the image", "docker-compose.yml", `user: "999:999"`, "", "runs as root"},
		{"writable", "docker-compose.yml", "read_only: true", "read_only: false", "change its root file system"},
		{"capabilities", "docker-compose.yml", "cap_drop: [ALL]", "cap_drop: [CHOWN]", "capabilities"},
		{"more capabilities", "docker-compose.cluster.yml", "cap_add: [CHOWN]", "cap_add: [SYS_ADMIN]", "SYS_ADMIN"},
		{"no volume", "docker-compose.yml", "redis:/data", "redis:/date", "keeps no volume at /data"},
		{"a folder of the machine", "docker-compose.yml", "- events:/var", "- ./events:/var", "keeps no volume"},
		{"keys in the image", "docker-compose.yml", "--data=/var/lib/rolewise", "--data=/data", "keeps its keys outside"},
		{"no place for the copy", "docker-compose.yml", "replica:/var/lib/rolewise-replica", "replica:/replica", "has no volume for its copy"},
		{"one copy for two", "docker-compose.cluster.yml", "- /var/lib/rolewise-replica", "- keys:/var/lib/rolewise-replica", "shares its copy"},
		{"open to the network", "docker-compose.yml", "127.0.0.1:8080:8080", "8080:8080", "is published"},
		{"one port for two", "docker-compose.cluster.yml", "8080-8081:8080", "8080:8080", "replicas share"},
		{"started is not healthy", "docker-compose.yml", "redis: { condition: service_healthy }", "redis: { condition: service_started }", "should be service_healthy"},
		{"a one-off that must be healthy", "docker-compose.cluster.yml", "redis-cluster: { condition: service_completed_successfully }", "redis-cluster: { condition: service_healthy }", "should be service_completed"},
		{"not awaited", "docker-compose.yml", "    redis: { condition: service_healthy }\n", "", "does not wait for redis"},
		{"an unknown host", "docker-compose.yml", "esdb://kurrentdb:", "esdb://eventstore:", "is no kurrentdb"},
		{"no port", "docker-compose.yml", "redis://redis:6379", "redis://redis", "names no host"},
		{"no common network", "docker-compose.cluster.yml", "networks: [stores]\n\n", "networks: [front]\n\n", "shares no network"},
		{"one volume for two", "docker-compose.cluster.yml", "redis2:/data", "redis1:/data", "is written by redis1, redis2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content := read(t, tt.file)
			if !strings.Contains(content, tt.old) {
				t.Fatalf("%s has no %q", tt.file, tt.old)
			}
			p, err := load(t, strings.Replace(content, tt.old, tt.new, 1), environment(content))
			if err != nil {
				t.Fatal(err)
			}
			if all := faults(p); !slices.ContainsFunc(all, func(f string) bool { return strings.Contains(f, tt.fault) }) {
				t.Errorf("goes unnoticed: %q", all)
			}
		})
	}
}
