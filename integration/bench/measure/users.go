package measure

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// users is a node with its own NATS and a store of many users' private keys. One run gives both figures: memory for each
// user, and how long the node takes to start again.
type users struct {
	users, keys int
	rest        time.Duration
	restarts    []Sample // measured by memory, not asked for yet
}

// memory measures KiB of resident memory for each user whose keys are in the store.
func (u *users) memory(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.backed(ctx)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	store := filepath.Join(s.dir, "store")
	s.ports["NATSMODE"] = "{listen: [127.0.0.1:" + s.ports["NATS"] + "], store-dir: " + strconv.Quote(store) + "}"
	s.ports["GRACE"] = "1h" // nobody is there, and the data is to stay
	if err := b.run(ctx, s); err != nil {
		return Sample{}, err
	}
	if err := pause(ctx, time.Second); err != nil {
		return Sample{}, err
	}
	before, err := s.RSS()
	if err != nil {
		return Sample{}, err
	}
	var seeded load.Asked
	err = b.ask(ctx, &seeded, worker.Seeder, "-nats", "nats://"+s.addr("NATS"), "-users", strconv.Itoa(u.users), "-keys", strconv.Itoa(u.keys))
	if err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, s.Logs())
	}
	if err := pause(ctx, u.rest); err != nil {
		return Sample{}, err
	}
	after, err := s.RSS()
	if err != nil {
		return Sample{}, err
	}
	size, err := folderSize(store)
	if err != nil {
		return Sample{}, err
	}
	s.Stop()
	begin := time.Now()
	if err := b.run(ctx, s); err != nil {
		return Sample{}, err
	}
	took := time.Since(begin)
	if err := pause(ctx, 3*time.Second); err != nil { // it looks through the records once
		return Sample{}, err
	}
	again, err := s.RSS()
	if err != nil {
		return Sample{}, err
	}
	cpu, err := s.CPU()
	if err != nil {
		return Sample{}, err
	}
	const mib = 1 << 20
	u.restarts = append(u.restarts, Sample{
		Value:  took.Seconds(),
		Detail: fmt.Sprintf("%d users with %d keys; RSS %.0f MiB and %v CPU 3s later", u.users, u.keys, float64(again)/mib, cpu),
	})
	return Sample{
		Value: float64(after-before) / float64(u.users) / (1 << 10),
		Detail: fmt.Sprintf("RSS %.0f → %.0f MiB, %.0f MiB after a restart; store %.0f MiB in files (%.0f bytes for each user, presence included); %.0f users/s written",
			float64(before)/mib, float64(after)/mib, float64(again)/mib, float64(size)/mib, float64(size)/float64(u.users), float64(u.users)/seeded.Seconds),
	}, nil
}

// restart is the seconds from exec to 200 on /ready with that store.
func (u *users) restart(ctx context.Context, b *Bench) (Sample, error) {
	if len(u.restarts) == 0 {
		if _, err := u.memory(ctx, b); err != nil {
			return Sample{}, err
		}
	}
	sample := u.restarts[0]
	u.restarts = u.restarts[1:]
	return sample, nil
}

func folderSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
