/** Answers that arrive too late: of several readings of one view, only the latest is shown. */

/** Return a function that begins a reading; it returns a function that says whether this reading is still the latest. */
export function latest() {
  let begun = 0;
  return () => {
    begun += 1;
    const number = begun;
    return () => number === begun;
  };
}
