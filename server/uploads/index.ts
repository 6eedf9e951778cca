// The door of uploads.
export type { ReceivedUpload, Room, UploadFields, UploadRequest, Uploads } from './types.ts';
export { createUploads, type UploadsOptions } from './uploads.ts';
