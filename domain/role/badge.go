package role

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"rolewise/domain"
)

// Badge is how a role is shown beside its title: a white icon on a coloured ground. The zero Badge is none.
type Badge struct {
	Icon  string `json:"icon" personal:"-"`
	Color Color  `json:"color"`
}

// Color is an sRGB colour as #rrggbb, in lower case.
type Color string

// PersonalizeBadge sets the badge of the draft (SPEC ROL-7).
type PersonalizeBadge struct {
	Role  domain.RoleID
	Badge Badge
}

func (PersonalizeBadge) command() {}

// LeastContrast is what a badge's colour must have against its icon: that of WCAG 2.2, 1.4.11 for graphical objects.
const LeastContrast = 3.0

func decideBadge(s State, c PersonalizeBadge) ([]Event, error) {
	if err := domain.CheckText("/icon", c.Badge.Icon, 1, 100); err != nil {
		return nil, err
	}
	color := Color(strings.ToLower(string(c.Badge.Color)))
	channels, ok := color.channels()
	if !ok {
		return nil, domain.Invalidf("/color", "invalid_color", "must be a colour such as #1d4ed8")
	}
	if contrast := contrastWithWhite(channels); contrast < LeastContrast {
		return nil, domain.Invalidf("/color", "low_contrast", "its contrast to the white icon is %s:1, it must be at least %g:1; the nearest acceptable colour is %s",
			strconv.FormatFloat(math.Floor(contrast*100)/100, 'f', 2, 64), LeastContrast, nearest(channels))
	}
	badge := Badge{Icon: c.Badge.Icon, Color: color}
	if badge == s.Draft.Badge {
		return nil, nil
	}
	return []Event{RoleBadgePersonalized{Role: c.Role, Badge: badge}}, nil
}

// channels returns red, green and blue, 0 to 255.
func (c Color) channels() (rgb [3]int, ok bool) {
	if len(c) != 7 || c[0] != '#' {
		return rgb, false
	}
	for i := range rgb {
		n, err := strconv.ParseUint(string(c[1+2*i:3+2*i]), 16, 8)
		if err != nil {
			return rgb, false
		}
		rgb[i] = int(n)
	}
	return rgb, true
}

// contrastWithWhite is the contrast ratio of WCAG 2.2, 1 to 21, between a colour and white: 1.05 ÷ (L + 0.05), where L is
// the relative luminance 0.2126 R + 0.7152 G + 0.0722 B of the linear channels.
//
// The icon is white on every badge, so that all badges of a plan look alike. If dark icons were permitted too, each
// colour there is would have contrast enough with one of the two, and nothing could ever be refused.
func contrastWithWhite(rgb [3]int) float64 {
	return 1.05 / (0.2126*linear(rgb[0]) + 0.7152*linear(rgb[1]) + 0.0722*linear(rgb[2]) + 0.05)
}

// linear undoes the gamma of an sRGB channel.
func linear(channel int) float64 {
	c := float64(channel) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

// nearest darkens a colour, step by step of its brightest channel and without changing its hue, until the contrast is
// enough. Black always has enough, so there is such a colour.
func nearest(rgb [3]int) Color {
	brightest := max(rgb[0], rgb[1], rgb[2])
	darker := rgb
	for to := brightest; contrastWithWhite(darker) < LeastContrast; to-- {
		for i, channel := range rgb {
			darker[i] = (channel*to + brightest/2) / brightest
		}
	}
	return Color(fmt.Sprintf("#%02x%02x%02x", darker[0], darker[1], darker[2]))
}
