package lattice

import "slices"

// seek looks for something in a sorted list of n elements, from index at on; order compares element i with what is
// looked for. It returns where it is, or where it would be. It steps outward from at, so that walking along two
// lists costs little both when they are alike and when one is much longer.
func seek(n, at int, order func(i int) int) (int, bool) {
	lo, hi, step := at, at, 1
	for hi < n {
		c := order(hi)
		if c == 0 {
			return hi, true
		}
		if c > 0 {
			break
		}
		lo, hi = hi+1, hi+step
		step *= 2
	}
	hi = min(hi, n)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := order(mid)
		if c == 0 {
			return mid, true
		}
		if c < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, false
}

// weave puts into the sorted list dst, which it changes and may move, those elements of the sorted list src that it
// lacks; missing is their number. Elements that are in both stay as they are in dst. It goes from the back, so that
// each element moves once, in blocks.
func weave[E any](dst, src []E, missing int, order func(a, b E) int) []E {
	end := len(dst)
	dst = slices.Grow(dst, missing)[:end+missing]
	for j := len(src) - 1; missing > 0; j-- {
		at, found := slices.BinarySearchFunc(dst[:end], src[j], order)
		if found {
			continue
		}
		copy(dst[at+missing:], dst[at:end])
		missing--
		dst[at+missing] = src[j]
		end = at
	}
	return dst
}

// exactly returns a copy of a list that has room for more elements, and for no other.
func exactly[E any](list []E, more int) []E {
	return append(make([]E, 0, len(list)+more), list...)
}

// lastOf sorts elements by order and keeps the last of those that are equal, as JSON objects with duplicate keys are
// read (protocol §8.2).
func lastOf[E any](list []E, order func(a, b E) int) []E {
	slices.SortStableFunc(list, order)
	n := 0
	for i := range list {
		if i+1 < len(list) && order(list[i], list[i+1]) == 0 {
			continue
		}
		list[n] = list[i]
		n++
	}
	clear(list[n:])
	return list[:n]
}
