/**
 * Files to upload: the choice of the pictures among them, and their division into requests.
 *
 * @typedef {{file: File, path: string}} Picture
 */

const MAX_FILES = 50;
const MAX_BYTES = 100 * 2 ** 20;
const FOR_PICTURES = 0.9; // of a request; the rest is for names and boundaries
const PICTURE_NAME = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|heic|heif)$/i;

/**
 * A chosen file, under its path within the chosen folder if it came from one.
 * @param {File} file
 * @returns {Picture}
 */
export function chosen(file) {
  return { file, path: file.webkitRelativePath || file.name };
}

/**
 * Return true if a file looks like a picture. The service examines the bytes; this only leaves out
 * the other files of a folder.
 * @param {File} file
 */
export function isPicture(file) {
  if (file.name.startsWith(".")) return false;
  return file.type.startsWith("image/") || PICTURE_NAME.test(file.name);
}

/**
 * Pictures in groups that go into one request each.
 * @param {Picture[]} pictures
 * @param {number} maxRequestBytes What the service takes at once.
 * @returns {Picture[][]}
 */
export function parcels(pictures, maxRequestBytes) {
  const maxBytes = Math.min(MAX_BYTES, FOR_PICTURES * maxRequestBytes);
  const made = [];
  let bytes = Infinity;
  for (const picture of pictures) {
    const parcel = made.at(-1);
    if (!parcel || parcel.length === MAX_FILES || bytes + picture.file.size > maxBytes) {
      made.push([picture]);
      bytes = picture.file.size;
    } else {
      parcel.push(picture);
      bytes += picture.file.size;
    }
  }
  return made;
}
