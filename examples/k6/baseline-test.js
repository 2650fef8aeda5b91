// Baseline: an ordinary day. 50 users for eight minutes, to compare releases by.
// What must hold is said by the policy (../peakgate.yaml), not here.

import { anyUser } from './lib/users.js';

export const options = {
  stages: [
    { duration: '1m', target: 50 },
    { duration: '8m', target: 50 },
    { duration: '1m', target: 0 },
  ],
};

export default function () {
  anyUser();
}
