package sample

import (
	"fmt"
	"slices"
	"strings"

	"rolewise/domain/skill"
)

// technology is a well-known technology; synonyms are separated by commas.
type technology struct{ name, icon, synonyms, about string }

// technologies are the skills of the plan, the most common first, so that a small plan has those.
var technologies = []technology{
	{"Git", "git", "version control", "Keep and share the history of source code."},
	{"Linux", "linux", "GNU/Linux", "Run and troubleshoot Linux systems."},
	{"Python", "python", "CPython, Python 3", "Write programs and scripts in Python."},
	{"SQL", "database", "Structured Query Language", "Query and change relational data."},
	{"Docker", "docker", "containers", "Build and run containers."},
	{"Go", "go", "Golang", "Write services and tools in Go."},
	{"JavaScript", "javascript", "JS, ECMAScript", "Write programs for browsers."},
	{"TypeScript", "typescript", "TS", "Write typed JavaScript."},
	{"React", "react", "React.js, ReactJS", "Build user interfaces from components."},
	{"PostgreSQL", "postgresql", "Postgres", "Design, query and run PostgreSQL databases."},
	{"Kubernetes", "kubernetes", "K8s", "Run containers on clusters."},
	{"Amazon Web Services", "aws", "AWS", "Build on Amazon's cloud."},
	{"HTML", "html5", "HTML5", "Structure pages so that everyone can use them."},
	{"CSS", "css3", "CSS3, stylesheets", "Lay out and style pages."},
	{"Node.js", "nodejs", "Node", "Run JavaScript on servers."},
	{"Java", "java", "JDK", "Write programs in Java."},
	{"Kotlin", "kotlin", "", "Write programs in Kotlin."},
	{"Swift", "swift", "", "Write programs in Swift."},
	{"Redis", "redis", "", "Use Redis as a cache and data store."},
	{"Terraform", "terraform", "infrastructure as code", "Describe infrastructure as code."},
	{"Prometheus", "prometheus", "PromQL", "Measure systems and alert on them."},
	{"Apache Kafka", "kafka", "Kafka", "Move events between systems."},
	{"Apache Spark", "spark", "Spark, PySpark", "Process large data sets."},
	{"PyTorch", "pytorch", "Torch", "Train neural networks."},
	{"pandas", "pandas", "DataFrame", "Analyse tables in Python."},
	{"Bash", "bash", "shell", "Write shell scripts that survive."},
	{"GraphQL", "graphql", "", "Design and query graph interfaces."},
	{"Android", "android", "Jetpack", "Build applications for Android."},
	{"SwiftUI", "apple", "iOS", "Build applications for Apple's devices."},
	{"Playwright", "playwright", "end-to-end tests", "Test web applications in browsers."},
	{"Rust", "rust", "", "Write fast and safe programs in Rust."},
	{"C#", "csharp", ".NET", "Write programs in C#."},
	{"Vue.js", "vue", "Vue", "Build user interfaces with Vue."},
	{"MongoDB", "mongodb", "Mongo", "Model and query documents."},
	{"Elasticsearch", "elastic", "Elastic", "Search and analyse text."},
	{"Grafana", "grafana", "dashboards", "Show measurements so that people see."},
	{"Ansible", "ansible", "", "Configure machines automatically."},
	{"Apache Airflow", "airflow", "Airflow", "Schedule data pipelines."},
	{"dbt", "dbt", "data build tool", "Transform data in the warehouse."},
	{"Wireshark", "wireshark", "packet analysis", "Look into network traffic."},
	{"Jenkins", "jenkins", "continuous integration", "Automate builds."},
}

// late are the four skills at the end of every plan's list, in this order: one that is retired during the year, one
// that leaves beta, one that stays in beta, and one that is defined at the very end, in beta.
var late = []technology{
	{"AngularJS", "angularjs", "Angular 1", "Keep applications of the first Angular alive."},
	{"OpenTelemetry", "opentelemetry", "OTel, tracing", "Trace requests through systems."},
	{"pgvector", "pgvector", "vector search", "Search by similarity in PostgreSQL."},
	{"WebAssembly", "webassembly", "Wasm", "Run compiled programs in browsers."},
}

// topics turn one technology into several, for plans with more skills than the list has names.
var topics = []string{"performance", "security", "testing", "operations", "architecture", "debugging", "migration", "teaching"}

// technology returns what the n-th skill of the plan is.
func (w *world) technology(n int) technology {
	if n >= w.Skills-len(late) {
		return late[n-(w.Skills-len(late))]
	}
	t := technologies[n%len(technologies)]
	if lap := n / len(technologies); lap > 0 {
		topic := topics[(lap-1)%len(topics)]
		if round := (lap - 1) / len(topics); round > 0 {
			topic += fmt.Sprintf(" %d", round+1)
		}
		t.name, t.synonyms, t.about = t.name+": "+topic, "", t.about+" This one is about "+topic+"."
	}
	return t
}

func (t technology) synonymList() []string {
	if t.synonyms == "" {
		return nil
	}
	return strings.Split(t.synonyms, ", ")
}

// Numbers of the skills with a history of their own.
func (w *world) retiring() int    { return w.Skills - 4 }
func (w *world) leavingBeta() int { return w.Skills - 3 }
func (w *world) newest() int      { return w.Skills - 1 }

// firstState is that in which a skill is defined.
func (w *world) firstState(n int) skill.Status {
	if n > w.retiring() {
		return skill.Beta
	}
	return skill.Validated
}

// find returns the number of the skill of a name, -1 if the plan is too small to have it.
func (w *world) find(name string) int {
	if i := slices.IndexFunc(late, func(t technology) bool { return t.name == name }); i >= 0 {
		return w.Skills - len(late) + i
	}
	i := slices.IndexFunc(technologies, func(t technology) bool { return t.name == name })
	if i >= w.Skills-len(late) {
		return -1
	}
	return i
}
