package names

import "fmt"

// UserID names a user inside a session pool: [A-Za-z0-9_.:-]+, at most MaxEncoded bytes encoded. The empty id is
// refused (decision D5).
type UserID string

// ParseUserID checks a user id that an authorization reply or a URL holds.
func ParseUserID(s string) (UserID, error) {
	if s == "" || !all(s, topicChar) {
		return "", fmt.Errorf("user id: %w", ErrSyntax)
	}
	if len(EncodeToken(s)) > MaxEncoded {
		return "", fmt.Errorf("user id: %w", ErrTooLong)
	}
	return UserID(s), nil
}

// ParseUserIDs checks a list of users, in which the empty id is legal and names nobody (decision D5).
func ParseUserIDs(list []string) ([]UserID, error) {
	users := make([]UserID, len(list))
	for i, s := range list {
		if s != "" {
			if _, err := ParseUserID(s); err != nil {
				return nil, err
			}
		}
		users[i] = UserID(s)
	}
	return users, nil
}
