"""What a reader gets: figures in one style, and one HTML report."""

from isocortex.report.folder import check_result_folder, write_result
from isocortex.report.html import write_report
from isocortex.report.style import figure_style

__all__ = ["check_result_folder", "figure_style", "write_report", "write_result"]
