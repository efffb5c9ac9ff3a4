package presence

import (
	"context"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// Private data whose users have no record that would have it purged are orphans: the node that wrote the data died before
// it wrote the touch, or dropped the touch, or the store lost the record. Nothing about them is ever due, so all private
// documents are looked through for them, and each such user is touched: the data gets a grace and is purged after it.
//
// One node looks for all: the one that would own the user chief. It does so some time after it took that part over (which
// includes its start), after a node has died, after the store was lost, and once an hour. A node that has dropped touches
// looks itself. Two that look at once do no harm.
const (
	// chief is the name of nobody.
	chief names.UserID = "-orphans"
	// orphanDelayMillis is how long after its cause a scan begins, so that replicas and mesh have caught up.
	orphanDelayMillis = 5000
	// orphanPauseMillis is the least time between the beginnings of two scans of one node, whatever happens.
	orphanPauseMillis = 60_000
	// orphanIntervalMillis is the time after which a scan is made although nothing calls for one.
	orphanIntervalMillis = 3_600_000
	// orphanRest is the pause before each page of documents.
	orphanRest = 500 * time.Millisecond
	// maxOrphanTouches are the touches not written yet beyond which a scan waits.
	maxOrphanTouches = 1000
)

// orphans is what is known of scans for orphans. The Tracker's mu guards it.
type orphans struct {
	// at is when the next is to begin, 0: nothing calls for one; begun is when the last one did, 0: never.
	at, begun int64
	// chief says that the scans were this node's part at the last tick, mine that it must make one in any case.
	chief, mine bool
	scanning    bool
}

// want has a scan made at a time, or later if one is called for already.
func (o *orphans) want(at int64) { o.at = max(o.at, at) }

// dropped calls for a scan because of a touch that was dropped. The caller holds mu.
func (t *Tracker) dropped() {
	o := &t.orphans
	o.mine = true
	if o.at == 0 { // a scan that is to come finds it, too
		o.want(t.now() + orphanDelayMillis)
	}
}

// seekOrphans begins a scan if one is due; died tells that a node did. The caller holds mu.
func (t *Tracker) seekOrphans(now int64, died bool) {
	o := &t.orphans
	is := t.view.owner(chief) == t.d.Node
	switch {
	case died || is && !o.chief:
		o.want(max(now, t.member.calmAt) + orphanDelayMillis)
	case is && o.at == 0 && now-o.begun >= orphanIntervalMillis:
		o.want(now)
	}
	o.chief = is
	if o.at == 0 || now < o.at || o.scanning || o.begun > 0 && now-o.begun < orphanPauseMillis {
		return
	}
	o.at = 0
	if !is && !o.mine {
		return // it is another node's; who takes over from that begins anew
	}
	o.mine, o.scanning, o.begun = false, true, now
	t.wg.Go(t.scanOrphans)
}

// scanOrphans looks through all private documents. After an error it is made again.
func (t *Tracker) scanOrphans() {
	t.d.Metrics.orphanScans.Add(1)
	err := t.d.Records.ScanPrivate(t.ctx, t.touchOrphans)
	if err != nil && t.ctx.Err() == nil {
		t.d.Metrics.orphanScanErrors.Add(1)
		t.log.Debug("Private data could not be searched for orphans", "err", err)
		t.failed(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.orphans.scanning = false
	if err != nil {
		t.orphans.mine = true
		t.orphans.want(t.now() + orphanDelayMillis)
	}
}

// touchOrphans touches those of some users with private data whose records do not tell of it.
func (t *Tracker) touchOrphans(us []names.UserID) error {
	if err := t.restOrphans(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.ctx, storeWait)
	defer cancel()
	values, err := t.d.Records.LoadRecords(ctx, us)
	if err != nil {
		return err
	}
	for i, id := range us {
		if r, _ := t.parse(id, values[i]); !r.guards() {
			t.d.Metrics.orphans.Add(1)
			t.loaded(id, values[i]) // a touch is not left out because of a stale record
			t.Touch(id)
		}
	}
	return nil
}

// restOrphans leaves the store to others for a while, and waits until there is room for touches.
func (t *Tracker) restOrphans() error {
	for {
		select {
		case <-time.After(orphanRest):
		case <-t.ctx.Done():
			return t.ctx.Err()
		}
		t.mu.Lock()
		room := t.touches < maxOrphanTouches
		t.mu.Unlock()
		if room {
			return nil
		}
	}
}

// guards tells whether the record leads to a purge of what private data there is: somebody is there, and will leave, or
// a purge is due.
func (r *Record) guards() bool {
	_, _, due := r.purgeAt(0)
	return due || r.anybody()
}
