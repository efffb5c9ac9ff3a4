package presence

import "container/heap"

// never is a time that does not come.
const never = int64(1) << 62

// dueHeap is a container/heap of users, the one whose work is due first in front. Each user knows its place.
type dueHeap []*user

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is for container/heap.
func (h *dueHeap) Push(x any) {
	u := x.(*user)
	u.place = len(*h)
	*h = append(*h, u)
}

// Pop is for container/heap.
func (h *dueHeap) Pop() any {
	old := *h
	u := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	u.place = -1
	return u
}

// set gives a user another time; never takes it out. It tells whether the user is first now.
func (h *dueHeap) set(u *user, at int64) (first bool) {
	u.at = at
	switch {
	case at >= never && u.place >= 0:
		heap.Remove(h, u.place)
		return false
	case at >= never:
		return false
	case u.place >= 0:
		heap.Fix(h, u.place)
	default:
		heap.Push(h, u)
	}
	return u.place == 0
}
