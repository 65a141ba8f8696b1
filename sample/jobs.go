package sample

import (
	"fmt"
	"slices"
	"strings"
)

// job is a role as it is first published; skills are separated by commas, the most important first.
type job struct{ title, area, about, skills, duties string }

var jobs = []job{
	{"Backend Engineer", "backend", "Builds and runs the services behind our products.", "Go,PostgreSQL,SQL,Redis,Docker,Git",
		"Design services and their interfaces;Keep data correct and queries fast;Review code of colleagues"},
	{"Frontend Engineer", "web", "Builds what customers see and use in their browsers.", "JavaScript,TypeScript,React,HTML,CSS,Git,Playwright",
		"Build accessible pages;Keep them fast on slow devices;Work with design on new features"},
	{"Full-Stack Engineer", "web", "Carries a feature from the database to the browser.", "TypeScript,React,Node.js,PostgreSQL,Docker,GraphQL,Git",
		"Deliver features end to end;Cut work into small releases"},
	{"Android Engineer", "mobile", "Builds our application for Android.", "Kotlin,Android,Git,SQL,GraphQL",
		"Build and release the application;Watch crashes and start-up time"},
	{"iOS Engineer", "mobile", "Builds our application for iPhone and iPad.", "Swift,SwiftUI,Git,SQL,GraphQL",
		"Build and release the application;Follow the platform's guidelines"},
	{"Platform Engineer", "platform", "Gives other teams a platform to deliver on.", "Kubernetes,Docker,Terraform,Linux,Go,Amazon Web Services,Git,Grafana",
		"Run the clusters;Make the safe way the easy way;Answer for cost and capacity"},
	{"Site Reliability Engineer", "operations", "Keeps services within their objectives.", "Linux,Prometheus,Kubernetes,OpenTelemetry,Python,Bash,Ansible",
		"Define objectives with product teams;Lead incidents and learn from them;Automate what is repeated"},
	{"Data Engineer", "data", "Moves and models data that others can trust.", "Python,SQL,Apache Kafka,Apache Spark,Apache Airflow,dbt,Git",
		"Build pipelines;Watch quality and freshness;Document models"},
	{"Data Analyst", "data", "Answers questions with data.", "SQL,pandas,Python,dbt,Git",
		"Turn questions into figures;Explain what they mean and what they do not"},
	{"Machine Learning Engineer", "machine learning", "Brings models into products and keeps them good.", "Python,PyTorch,pandas,pgvector,SQL,Docker,Git",
		"Train and evaluate models;Serve them;Watch them drift"},
	{"Security Engineer", "security", "Finds weaknesses before others do.", "Linux,Python,Wireshark,Amazon Web Services,Bash,Docker",
		"Review designs;Test systems;Answer reports"},
	{"Test Engineer", "quality", "Makes quality visible, early.", "Playwright,JavaScript,SQL,Git,Java,Jenkins",
		"Plan tests with the teams;Automate them;Keep them honest"},
	{"Support Engineer", "support", "Solves what customers cannot.", "Linux,SQL,Bash,Elasticsearch,Grafana",
		"Reproduce and solve cases;Write down what was learnt"},
	{"Senior Backend Engineer", "backend", "Sets the direction of several services and helps others to grow.", "",
		"Lead designs across teams;Mentor;Decide what is not built"},
}

// copied is the kind of job that starts as a duplicate of the first of its lap.
const copied = 13

// fields tell roles of the same title apart in plans with more roles than there are jobs.
var fields = []string{"Payments", "Search", "Identity", "Logistics", "Catalogue", "Pricing", "Messaging", "Reporting", "Partners", "Internal Tools"}

func (w *world) job(n int) job {
	j := jobs[n%len(jobs)]
	if lap := n / len(jobs); lap > 0 {
		field := fields[(lap-1)%len(fields)]
		if round := (lap - 1) / len(fields); round > 0 {
			field += fmt.Sprintf(" %d", round+1)
		}
		j.title += ", " + field
	}
	return j
}

// source is the role that the n-th role is a duplicate of, -1 if it starts from scratch.
func (w *world) source(n int) int {
	if n%len(jobs) == copied {
		return n - copied
	}
	return -1
}

// coreSkills are the skills of a role that stay in it whatever is edited, five to eight where the plan has that many.
// The first is required for ever.
func (w *world) coreSkills(n int) []int {
	if source := w.source(n); source >= 0 {
		n = source
	}
	var core []int
	for name := range strings.SplitSeq(w.job(n).skills, ",") {
		if i := w.find(name); i >= 0 {
			core = append(core, i)
		}
	}
	if n >= len(jobs) && len(core) > 5 { // roles of one kind differ in some skill
		core = core[:len(core)-1]
	}
	for k := 0; len(core) < min(5, w.retiring()); k++ {
		if i := int(w.hash("core skill", n*100+k) % uint64(w.retiring())); !slices.Contains(core, i) {
			core = append(core, i)
		}
	}
	if n >= len(jobs) {
		if i := int(w.hash("own skill", n) % uint64(w.retiring())); !slices.Contains(core, i) {
			core = append(core, i)
		}
	}
	return core
}

// unit is a team; parent is its place in the list, -1 at the top.
type unit struct {
	name   string
	parent int
	area   string
}

var units = []unit{
	{"Engineering", -1, "backend"},
	{"Platform", 0, "platform"},
	{"Infrastructure", 1, "operations"},
	{"Developer Experience", 1, "platform"},
	{"Product Engineering", 0, "backend"},
	{"Web", 4, "web"},
	{"Mobile", 4, "mobile"},
	{"Payments", 4, "backend"},
	{"Data and AI", -1, "data"},
	{"Data Engineering", 8, "data"},
	{"Machine Learning", 8, "machine learning"},
	{"Security", -1, "security"},
	{"Quality", 0, "quality"},
	{"Customer Operations", -1, "support"},
}

// unit returns what the n-th team is. In plans with more teams than the list the tree grows, three below each.
func (w *world) unit(n int) unit {
	u := units[n%len(units)]
	if n >= len(units) {
		u.name = fmt.Sprintf("%s %d", u.name, n/len(units)+1)
		u.parent = (n - 2) / 3
	}
	return u
}
