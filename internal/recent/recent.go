// Package recent bounds what is remembered to what was used last.
package recent

// A Map keeps at least size entries, those used last, and at most twice that. When the young half is full it becomes the old
// one, and what is still used comes back from there. One goroutine at a time may use it.
type Map[K comparable, V any] struct {
	size       int
	young, old map[K]V
}

// New makes an empty map.
func New[K comparable, V any](size int) *Map[K, V] {
	return &Map[K, V]{size: size, young: map[K]V{}}
}

// Get finds what is kept of a key.
func (r *Map[K, V]) Get(k K) (V, bool) {
	v, ok := r.young[k]
	if !ok {
		if v, ok = r.old[k]; ok {
			r.Put(k, v)
		}
	}
	return v, ok
}

// Put keeps a value, perhaps in the place of another.
func (r *Map[K, V]) Put(k K, v V) {
	if len(r.young) >= r.size {
		r.old, r.young = r.young, make(map[K]V, r.size)
	}
	r.young[k] = v
}

// Forget removes a key.
func (r *Map[K, V]) Forget(k K) {
	delete(r.young, k)
	delete(r.old, k)
}
