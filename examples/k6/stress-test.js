// Stress: in steps up to 2000 users, to see where and how the service gives in.
// What must hold is said by the policy (../peakgate.yaml), not here.

import { anyUser } from './lib/users.js';

export const options = {
  stages: [
    { duration: '5m', target: 500 },
    { duration: '5m', target: 1000 },
    { duration: '5m', target: 1500 },
    { duration: '5m', target: 2000 },
    { duration: '5m', target: 0 },
  ],
};

export default function () {
  anyUser();
}
