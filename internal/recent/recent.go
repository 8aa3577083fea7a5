// Package recent is a cache of the most recently used entries.
package recent

// A Map keeps at least the size entries used last, and at most twice as many. When its young half is full it becomes the old one, from
// which entries that are used again come back. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	size       int
	young, old map[K]V
}

// New returns an empty map.
func New[K comparable, V any](size int) *Map[K, V] {
	return &Map[K, V]{size: size, young: map[K]V{}}
}

// Get returns the entry of a key.
func (r *Map[K, V]) Get(k K) (V, bool) {
	v, ok := r.young[k]
	if !ok {
		if v, ok = r.old[k]; ok {
			r.Put(k, v)
		}
	}
	return v, ok
}

// Put sets the entry of a key.
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
