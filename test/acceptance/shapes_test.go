package acceptance

import "rolewise/test/harness"

// Answers to queries, as SPEC 15 names their fields.
type (
	levelCount struct {
		Beginner int `json:"beginner"`
		Entry    int `json:"entry"`
		Mid      int `json:"mid"`
		Senior   int `json:"senior"`
	}
	counts struct {
		Assigned   int        `json:"assigned"`
		Engaged    int        `json:"engaged"`
		Started    int        `json:"started"`
		InProgress int        `json:"in_progress"`
		Pending    int        `json:"pending"`
		Completed  int        `json:"completed"`
		Levels     levelCount `json:"levels"`
	}
	roleLine struct {
		Role    string `json:"role"`
		Title   string `json:"title"`
		Version int    `json:"version"`
		Beta    bool   `json:"beta"`
		counts
	}
	rolesReport struct {
		harness.List[roleLine]
		Totals  counts `json:"totals"`
		Members int    `json:"members"`
		Metric  string `json:"metric"`
	}
	skillLevels struct {
		Novice       int `json:"novice"`
		Emerging     int `json:"emerging"`
		Average      int `json:"average"`
		AboveAverage int `json:"above_average"`
		Expert       int `json:"expert"`
	}
	meets struct {
		Entry  int `json:"entry"`
		Mid    int `json:"mid"`
		Senior int `json:"senior"`
	}
	skillLine struct {
		Skill        string      `json:"skill"`
		Name         string      `json:"name"`
		Required     bool        `json:"required"`
		Goals        []int       `json:"goals"`
		Measured     int         `json:"measured"`
		Levels       skillLevels `json:"levels"`
		AverageLevel *float64    `json:"average_level"`
		Meets        meets       `json:"meets"`
	}
	roleReport struct {
		Item   roleLine    `json:"item"`
		Skills []skillLine `json:"skills"`
	}
	memberSkill struct {
		Skill      string  `json:"skill"`
		Name       string  `json:"name"`
		Required   bool    `json:"required"`
		Level      *string `json:"level"`
		MeasuredAt *string `json:"measured_at"`
		Stale      bool    `json:"stale"`
		NextRetake *string `json:"next_retake"`
	}
	memberLine struct {
		Member        string        `json:"member"`
		Name          string        `json:"name"`
		Email         string        `json:"email"`
		Teams         []string      `json:"teams"`
		Paths         []string      `json:"paths"`
		State         string        `json:"state"`
		SelectedLevel *string       `json:"selected_level"`
		Level         *string       `json:"level"`
		RequiredDone  int           `json:"required_done"`
		RequiredTotal int           `json:"required_total"`
		LastMeasured  *string       `json:"last_measured"`
		Version       int           `json:"version"`
		Rule          string        `json:"rule"`
		Skills        []memberSkill `json:"skills"`
	}
	roleSkill struct {
		Skill    string `json:"skill"`
		Required bool   `json:"required"`
		Percent  int    `json:"percent"`
		Goals    []int  `json:"goals"`
	}
)
