"""What is done to a picture once its bytes are here: checked, and brought to the dataset's size.

Domain code. Asking Commons for files belongs to `resources.commons`; keeping them belongs to the lake.
"""
