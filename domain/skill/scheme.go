package skill

// MaxScore is the top of the Skill IQ scale, which starts at 0.
const MaxScore = 300

// Level is one of the five standings that a percentile stands for.
type Level string

const (
	Novice       Level = "novice"
	Emerging     Level = "emerging"
	Average      Level = "average"
	AboveAverage Level = "above_average"
	Expert       Level = "expert"
)

// Scheme names the version of the level scheme by which a measurement was judged; it keeps that for ever.
type Scheme string

// SchemeV1 is the one in force.
const SchemeV1 Scheme = "percentile.v1"

// Levels lists the five in rising order, so that index+1 is a level's number in averages.
var Levels = [5]Level{Novice, Emerging, Average, AboveAverage, Expert}

// LevelOf judges a percentile (0 to 100) by SchemeV1: 20 percentiles a level, 100 with the fifth (SPEC SKL-4).
func LevelOf(percentile int) Level {
	return Levels[min(max(percentile, 0)/20, 4)]
}

// Rank returns 1 for novice up to 5 for expert, 0 for anything else.
func (l Level) Rank() int {
	for i, level := range Levels {
		if level == l {
			return i + 1
		}
	}
	return 0
}
