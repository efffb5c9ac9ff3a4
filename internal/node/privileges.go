package node

import (
	"fmt"
	"os/user"
	"strconv"
	"syscall"
)

// dropPrivileges makes the process the configured user and group, in all its threads. With only a user, its primary
// group is taken. Supplementary groups stay (configuration §6.5).
func dropPrivileges(userName, groupName string) error {
	uid, gid := -1, -1
	if userName != "" {
		u, err := user.Lookup(userName)
		if err != nil {
			return &PrivilegeError{err}
		}
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return &PrivilegeError{err}
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return &PrivilegeError{err}
		}
	}
	if groupName != "" {
		g, err := user.LookupGroup(groupName)
		if err != nil {
			return &PrivilegeError{err}
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return &PrivilegeError{err}
		}
	}
	if gid >= 0 {
		if err := syscall.Setgid(gid); err != nil {
			return &PrivilegeError{fmt.Errorf("setgid %d: %w", gid, err)}
		}
	}
	if uid >= 0 {
		if err := syscall.Setuid(uid); err != nil {
			return &PrivilegeError{fmt.Errorf("setuid %d: %w", uid, err)}
		}
	}
	return nil
}
