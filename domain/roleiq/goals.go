package roleiq

import "rolewise/domain/skill"

// Adjust returns thresholds moved by a percentage (-10, 0 or 10), rounded half up, clamped to 0–300 and kept strictly
// rising: first each one point above the one before, then, where that leaves the scale, each below the one after
// (SPEC ROL-6).
func Adjust(t skill.Thresholds, percent int) skill.Thresholds {
	for i, score := range t {
		t[i] = min(max((score*(100+percent)+50)/100, 0), skill.MaxScore)
		if i > 0 && t[i] <= t[i-1] {
			t[i] = t[i-1] + 1
		}
	}
	for i := len(t) - 1; i >= 0; i-- {
		t[i] = min(t[i], skill.MaxScore-(len(t)-1-i))
	}
	return t
}
