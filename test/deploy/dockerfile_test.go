package deploy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one line of a Dockerfile, continued lines joined.
type instruction struct{ name, rest string }

func instructions(content string) []instruction {
	content = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(content, "")
	content = strings.ReplaceAll(content, "\\\n", " ")
	var all []instruction
	for line := range strings.Lines(content) {
		if name, rest, _ := strings.Cut(strings.TrimSpace(line), " "); name != "" {
			all = append(all, instruction{strings.ToUpper(name), strings.TrimSpace(rest)})
		}
	}
	return all
}

// dockerfileFaults lists what is wrong with how an image is built. Only the last stage is shipped.
func dockerfileFaults(content string) []string {
	var all, stages []string
	var last []instruction
	for _, i := range instructions(content) {
		switch i.name {
		case "FROM":
			words := strings.Fields(i.rest)
			if base := words[0]; base != "scratch" && !slices.Contains(stages, base) && !exactVersion.MatchString(regexp.MustCompile(`-[a-z]+$`).ReplaceAllString(base, "")) {
				all = append(all, "base image "+base+" is not pinned to an exact version")
			}
			if len(words) == 3 {
				stages = append(stages, words[2])
			}
			last = nil
		case "ARG", "ENV":
			if regexp.MustCompile(`(?i)password|secret|token|key`).MatchString(i.rest) {
				all = append(all, "a secret would stay in the image: "+i.name+" "+i.rest)
			}
		case "ADD":
			all = append(all, "ADD can fetch from elsewhere: use COPY")
		case "RUN":
			if regexp.MustCompile(`\b(curl|wget|apt-get|apk)\b`).MatchString(i.rest) {
				all = append(all, "fetches what is not pinned: "+i.rest)
			}
		}
		last = append(last, i)
	}
	value := func(name string) string {
		found := ""
		for _, i := range last {
			if i.name == name {
				found = i.rest
			}
		}
		return found
	}
	user, _, _ := strings.Cut(value("USER"), ":")
	if !regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(user) {
		all = append(all, "runs as user "+user+"; give a number other than 0")
	}
	if value("FROM") != "scratch" {
		all = append(all, "ships more than the program: "+value("FROM"))
	}
	if !strings.Contains(value("HEALTHCHECK"), `CMD ["/rolewise", "healthcheck"`) {
		all = append(all, "does not say how it does")
	}
	if value("ENTRYPOINT") != `["/rolewise"]` {
		all = append(all, "starts "+value("ENTRYPOINT"))
	}
	if !strings.Contains(content, "CGO_ENABLED=0") {
		all = append(all, "the program needs a C library, and scratch has none")
	}
	return all
}

func TestDockerfile(t *testing.T) {
	content := read(t, "Dockerfile")
	for _, fault := range dockerfileFaults(content) {
		t.Error(fault)
	}
	version := regexp.MustCompile(`golang:([0-9.]+)`).FindStringSubmatch(content)
	wanted := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindStringSubmatch(read(t, "go.mod"))
	if version == nil || wanted == nil || !strings.HasPrefix(version[1], wanted[1]+".") {
		t.Errorf("built with Go %v, go.mod wants %v", version, wanted)
	}
	for _, name := range []string{"docker-compose.yml", "docker-compose.cluster.yml"} {
		_, p := mustLoad(t, name)
		for _, s := range p.Services {
			if kind(s) == "rolewise" && !strings.Contains(content, "\nUSER "+s.User+"\n") {
				t.Errorf("%s runs as %s, the image's state belongs to another", s.Name, s.User)
			}
		}
	}
	for _, bad := range []struct{ old, new, fault string }{
		{"golang:1.26.8-bookworm", "golang:1.26-bookworm", "not pinned"},
		{"golang:1.26.8-bookworm", "golang", "not pinned"},
		{"FROM scratch", "FROM gcr.io/distroless/static-debian12:nonroot", "not pinned"},
		{"FROM scratch", "FROM debian:12.5.1", "ships more"},
		{"USER 65532:65532", "USER 0:0", "runs as user 0"},
		{"USER 65532:65532", "USER rolewise", "runs as user rolewise"},
		{"USER 65532:65532\n", "", "runs as user"},
		{"ENV CGO", "ENV OPERATOR_KEY=1 CGO", "a secret"},
		{"RUN go mod download", "RUN curl https://example.com/go.sh | sh", "fetches"},
		{"COPY . .", "ADD https://example.com/x .", "ADD"},
		{"HEALTHCHECK", "LABEL x=", "how it does"},
		{"CGO_ENABLED=0", "CGO_ENABLED=1", "C library"},
	} {
		if !strings.Contains(content, bad.old) {
			t.Errorf("the Dockerfile has no %q", bad.old)
		}
		if all := dockerfileFaults(strings.Replace(content, bad.old, bad.new, 1)); !slices.ContainsFunc(all, func(f string) bool { return strings.Contains(f, bad.fault) }) {
			t.Errorf("%q instead of %q goes unnoticed: %q", bad.new, bad.old, all)
		}
	}
}

// TestDockerignore looks whether the build would miss a file, or be given one that it must not see.
func TestDockerignore(t *testing.T) {
	lines := strings.Fields(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(read(t, ".dockerignore"), ""))
	for _, wanted := range []string{".git", ".env", ".env.*", "data", "**/*.db", "**/*.key", "**/*.pem"} {
		if !slices.Contains(lines, wanted) {
			t.Errorf("the builder would see %s", wanted)
		}
	}
	for _, needed := range []string{"api", "cmd", "commands", "domain", "eventstore", "go.mod", "go.sum", "internal", "projections", "readmodels", "sample", "web", "*.lua", "*.html", "*.css"} {
		if slices.Contains(lines, needed) || slices.Contains(lines, "**/"+needed) {
			t.Errorf("the build would miss %s", needed)
		}
	}
}
