// Soak: 200 users for four hours, for what only shows with time, such as leaks.
// What must hold is said by the policy (../peakgate.yaml), not here.

import { anyUser } from './lib/users.js';

export const options = {
  stages: [
    { duration: '5m', target: 200 },
    { duration: '3h45m', target: 200 },
    { duration: '10m', target: 0 },
  ],
};

export default function () {
  anyUser();
}
