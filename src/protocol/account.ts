/** What people may do at the desk, each role what those before it may, and more. */
export const ROLES = ["observer", "operator", "administrator"] as const;
export type Role = (typeof ROLES)[number];

export const mayDo = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);

/** A login is typed at each sign-in, on any keyboard. */
export const LOGIN = /^[a-z0-9][a-z0-9._-]{1,63}$/;
