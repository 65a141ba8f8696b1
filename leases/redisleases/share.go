package redisleases

import (
	"cmp"
	"slices"
)

// share returns how many of the partitions a member is to have, and the place among the partitions where it should look
// for them first, so that members which look at the same moment look in different places. All shares together are all
// partitions at least, and those of members without a limit differ by one at most, the elder ones having more: ids grow with time.
//
// A member with a limit gets no more than that, as if it were not there for the rest. If all have one, none counts.
func share(members []member, id string, partitions int) (size, first int) {
	members = slices.SortedFunc(slices.Values(members), func(a, b member) int { return cmp.Compare(a.id, b.id) })
	well := 0
	for _, m := range members {
		if m.most == unlimited {
			well++
		}
	}
	even := (partitions + len(members) - 1) / len(members)
	if well == 0 {
		well = len(members)
		for i := range members {
			members[i].most = unlimited
		}
	}
	rest := partitions
	for _, m := range members {
		if m.most != unlimited {
			rest -= min(m.most, even, rest)
		}
	}
	for _, m := range members {
		size := min(m.most, even)
		if m.most == unlimited {
			size = (rest + well - 1) / well
			rest, well = rest-size, well-1
		}
		if m.id == id {
			return size, first
		}
		first += size
	}
	return 0, 0
}
