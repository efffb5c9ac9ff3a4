package jsontext

// Each calls f for each element of a checked array, in order, until f returns false. It calls f never when data is no
// array. Unlike Elements it needs no memory, however long the array.
func Each(data []byte, f func(element Value) bool) {
	i := skipSpace(data, 0)
	if i >= len(data) || data[i] != '[' {
		return
	}
	for {
		i = skipSpace(data, i+1)
		end := skipValue(data, i)
		if end == i || !f(data[i:end:end]) {
			return
		}
		i = skipSpace(data, end)
		if i >= len(data) || data[i] != ',' {
			return
		}
	}
}

// Strings returns the elements of a checked array of strings; false when data is something else.
func Strings(data []byte) (list []string, ok bool) {
	if Value(data).Kind() != Array {
		return nil, false
	}
	ok = true
	Each(data, func(v Value) bool {
		var s string
		s, ok = Unquote(v)
		list = append(list, s)
		return ok
	})
	return list, ok
}
